/** What starts when a person is signed in, and what is forgotten when they are not. */
import { forget } from '../cache/database';
import { explainSlug } from '../api/explain';
import { calls } from '../call/calls.svelte';
import { chats } from '../chat/chats.svelte';
import { connection } from '../chat/connection.svelte';
import { forgetMedia } from '../chat/media';
import { friends } from '../friends/friends.svelte';
import { devices } from '../me/devices.svelte';
import { outbox } from '../outbox/outbox.svelte';
import { reachability } from '../net/reachability.svelte';
import { push } from '../push/push.svelte';
import { session, type SessionEnd } from '../session/session.svelte';
import { notices } from '../ui/notices.svelte';
import { history, wallet, watchMoney } from '../wallet/wallet.svelte';

let prepared = false;

export function start(): void {
  if (!prepared) {
    prepared = true;
    watchMoney();
    outbox.whenQuietlyRefused((_entry, problem) => notices.say(explainSlug(problem.slug, problem.status)));
    session.whenEnded((reason) => void stop(reason));
    reachability.whenBack(() => {
      if (session.current && chats.failed) void chats.connect();
      connection.client?.retryImmediately();
    });
    calls.start();
    push.start();
    void outbox.start();
    void chats.start();
  } else {
    void outbox.restore();
    void chats.connect();
  }
  for (const resource of [friends, wallet, history]) void resource.load();
}

async function stop(reason: SessionEnd): Promise<void> {
  calls.hangUp();
  outbox.clear();
  chats.clear();
  forgetMedia();
  sessionStorage.clear();
  for (const resource of [friends, wallet, history, devices]) resource.clear();
  await push.forget();
  await connection.stop(reason);
  await forget('cache').catch(() => undefined);
  // A session that ran out takes nothing along that was not sent: the same person signs in again, and it goes out.
  if (reason === 'wish') await forget('outbox').catch(() => undefined);
}
