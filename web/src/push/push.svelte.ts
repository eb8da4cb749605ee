/** Notifications on this device while the app is closed: Web Push, asked for by the person, kept by the server. */
import { ask } from '../chat/matrix';
import { record, text } from '../chat/values';
import { language, t } from '../i18n/i18n.svelte';
import { router } from '../router/router.svelte';
import { routeOf } from '../router/routes';
import { pushKeyBytes } from './key';

const SUBSCRIPTIONS = '/api/chat/push/subscriptions';
const WORDS_CACHE = 'haechi-push-words';
const WORDS_PATH = '/push-words.json';

/** `impossible`: this browser knows no push; `refused`: the person told the browser no, and only there can change it. */
export type PushState = 'impossible' | 'refused' | 'off' | 'on';

class Push {
  state = $state<PushState>('off');

  /** Follows what the worker says, and keeps what it needs to speak. */
  start(): void {
    if (!('serviceWorker' in navigator)) return;
    navigator.serviceWorker.addEventListener('message', ({ data }) => {
      const path = text(record(data).open);
      if (path.startsWith('/')) router.go(routeOf(path));
    });
    void this.look();
  }

  /** Reads from the browser how it stands. */
  async look(): Promise<void> {
    if (!('PushManager' in window) || !('serviceWorker' in navigator)) this.state = 'impossible';
    else if (Notification.permission === 'denied') this.state = 'refused';
    else {
      const registration = await navigator.serviceWorker.getRegistration();
      const subscription = await registration?.pushManager.getSubscription().catch(() => null);
      this.state = subscription && Notification.permission === 'granted' ? 'on' : 'off';
    }
  }

  /** Asks the browser for permission, subscribes, and tells the server. */
  async turnOn(): Promise<void> {
    const permission = await Notification.requestPermission();
    if (permission !== 'granted') {
      this.state = permission === 'denied' ? 'refused' : 'off';
      return;
    }
    const registration = await navigator.serviceWorker.ready;
    const { public_key } = await ask<{ public_key: string }>('GET', '/api/chat/push/key');
    const applicationServerKey = pushKeyBytes(public_key);
    const subscribe = () =>
      registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey });
    let subscription: PushSubscription;
    try {
      subscription = await subscribe();
    } catch {
      // One made with an older key of the server stands in the way.
      await (await registration.pushManager.getSubscription())?.unsubscribe();
      subscription = await subscribe();
    }
    const { endpoint, keys } = subscription.toJSON();
    await ask('POST', SUBSCRIPTIONS, {
      endpoint,
      keys: { p256dh: keys?.p256dh ?? '', auth: keys?.auth ?? '' },
      lang: language.current,
    });
    this.state = 'on';
    await this.keepWords();
  }

  async turnOff(): Promise<void> {
    await ask('DELETE', SUBSCRIPTIONS);
    await this.forget();
  }

  /** Ends it on this device; at sign-out the server ends its side with the session. */
  async forget(): Promise<void> {
    if (!('serviceWorker' in navigator)) return;
    const registration = await navigator.serviceWorker.getRegistration();
    const subscription = await registration?.pushManager?.getSubscription().catch(() => null);
    await subscription?.unsubscribe().catch(() => undefined);
    if (this.state === 'on') this.state = 'off';
  }

  /** The worker speaks when no page is there, so it is given its words in advance. */
  async keepWords(): Promise<void> {
    if (!globalThis.caches) return;
    const words = {
      message: t('push.message'),
      secret: t('push.secret'),
      call: t('push.call'),
      invite: t('push.invite'),
    };
    const cache = await caches.open(WORDS_CACHE).catch(() => null);
    await cache?.put(WORDS_PATH, Response.json(words)).catch(() => undefined);
  }
}

export const push = new Push();
