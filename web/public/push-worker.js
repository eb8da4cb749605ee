// What the service worker does with a push: it shows a notification, and a tap on that opens the chat. Loaded into the
// worker that Workbox makes (`importScripts` in vite.config.ts). The words are put here by the page, in its language.
const WORDS_CACHE = 'haechi-push-words';
const WORDS_PATH = '/push-words.json';

async function pushWords() {
  const kept = await (await caches.open(WORDS_CACHE)).match(WORDS_PATH).catch(() => null);
  return kept ? kept.json() : { message: 'Haechi', secret: 'Haechi', call: 'Haechi', invite: 'Haechi' };
}

/** What a notification says: of a secret chat, only that there is something. */
function pushNotice(push, words) {
  const from = push.sender_name || '';
  const title = push.room_name || from || 'Haechi';
  const fallback =
    { 'm.room.encrypted': words.secret, 'm.call.invite': words.call, 'm.room.member': words.invite }[
      push.type
    ] ?? words.message;
  const said = push.text || fallback;
  const body = from && from !== title ? `${from}: ${said}` : said;
  return { title, body, path: push.room_id ? `/chats/${encodeURIComponent(push.room_id)}` : '/chats' };
}

/** The person sees this chat at this moment. */
async function isLookingAt(path) {
  const windows = await self.clients.matchAll({ type: 'window' });
  return windows.some((one) => one.focused && new URL(one.url).pathname === path);
}

self.addEventListener('push', (event) => {
  const show = async () => {
    let push = {};
    try {
      push = event.data?.json() ?? {};
    } catch {
      // A push without words still says that there is something.
    }
    if (Number.isInteger(push.unread)) await self.navigator.setAppBadge?.(push.unread).catch(() => undefined);
    const { title, body, path } = pushNotice(push, await pushWords());
    if (await isLookingAt(path)) return;
    await self.registration.showNotification(title, {
      body,
      tag: push.room_id || 'haechi',
      renotify: true,
      icon: '/icon-192.png',
      badge: '/icon-192.png',
      data: { path },
    });
  };
  event.waitUntil(show());
});

self.addEventListener('notificationclick', (event) => {
  event.notification.close();
  const path = event.notification.data?.path ?? '/chats';
  const open = async () => {
    const [window] = await self.clients.matchAll({ type: 'window', includeUncontrolled: true });
    if (!window) return self.clients.openWindow(path);
    window.postMessage({ open: path });
    return window.focus();
  };
  event.waitUntil(open());
});
