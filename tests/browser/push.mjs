// The browser's push service, which no test can reach: subscribing works as it does there, and a push comes when we say so.
import { baseUrl } from './browser.mjs';

/** Makes `PushManager.subscribe` give a subscription with keys of its own, as a push service would. */
export function feignPushService(person) {
  return person.context.addInitScript(() => {
    if (!globalThis.PushManager) return;
    const text = (bytes) =>
      btoa(String.fromCharCode(...new Uint8Array(bytes)))
        .replace(/\+/g, '-')
        .replace(/\//g, '_')
        .replace(/=+$/, '');
    let held = null;
    PushManager.prototype.getSubscription = async () => held;
    PushManager.prototype.subscribe = async () => {
      const pair = await crypto.subtle.generateKey({ name: 'ECDH', namedCurve: 'P-256' }, true, [
        'deriveBits',
      ]);
      const keys = {
        p256dh: text(await crypto.subtle.exportKey('raw', pair.publicKey)),
        auth: text(crypto.getRandomValues(new Uint8Array(16))),
      };
      const endpoint = `https://updates.push.services.mozilla.com/wpush/v2/${crypto.randomUUID()}`;
      held = {
        endpoint,
        toJSON: () => ({ endpoint, expirationTime: null, keys }),
        unsubscribe: async () => {
          held = null;
          return true;
        },
      };
      return held;
    };
  });
}

/** Has the browser hand a push to the app's service worker. */
export async function deliverPush(person, message) {
  const session = await person.context.newCDPSession(person.page);
  const registered = new Promise((resolve) =>
    session.on('ServiceWorker.workerRegistrationUpdated', ({ registrations }) => {
      const [found] = registrations.filter((one) => one.scopeURL.startsWith(baseUrl) && !one.isDeleted);
      if (found) resolve(found.registrationId);
    }),
  );
  await session.send('ServiceWorker.enable');
  const registrationId = await registered;
  const data = JSON.stringify(message);
  await session.send('ServiceWorker.deliverPushMessage', { origin: baseUrl, registrationId, data });
}
