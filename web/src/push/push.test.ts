import { readFileSync } from 'node:fs';
import { runInNewContext } from 'node:vm';
import { describe, expect, it, vi } from 'vitest';
import { pushKeyBytes } from './key';
import { quietHoursIn } from './quiet';

const code = readFileSync(new URL('../../public/push-worker.js', import.meta.url), 'utf8');
const words = { message: 'new', secret: 'secret', call: 'call', invite: 'invite' };

/** The worker's code in a worker that is not one. */
function worker(windows: object[] = []) {
  const listeners = new Map<string, (event: object) => void>();
  const showNotification = vi.fn();
  const openWindow = vi.fn();
  const self = {
    addEventListener: (name: string, listener: (event: object) => void) => listeners.set(name, listener),
    clients: { matchAll: async () => windows, openWindow },
    registration: { showNotification },
    navigator: {},
  };
  const caches = { open: async () => ({ match: async () => ({ json: async () => words }) }) };
  runInNewContext(code, { self, caches, URL });
  const tell = async (name: string, event: object) => {
    let work: Promise<unknown> = Promise.resolve();
    listeners.get(name)!({ ...event, waitUntil: (promise: Promise<unknown>) => (work = promise) });
    await work;
  };
  const push = (message: unknown) => tell('push', { data: { json: () => message } });
  return { tell, push, showNotification, openWindow };
}

describe('the worker', () => {
  const said = {
    room_id: '!r:h',
    room_name: 'Picnic',
    sender_name: 'Bada',
    type: 'm.room.message',
    text: 'Noon?',
  };

  it('says who wrote what, and where', async () => {
    const { push, showNotification } = worker();
    await push(said);
    expect(showNotification).toHaveBeenCalledWith(
      'Picnic',
      expect.objectContaining({ body: 'Bada: Noon?', tag: '!r:h', data: { path: '/chats/!r%3Ah' } }),
    );
  });
  it('says nothing of what is secret', async () => {
    const { push, showNotification } = worker();
    await push({
      room_id: '!r:h',
      room_name: 'Bada',
      sender_name: 'Bada',
      type: 'm.room.encrypted',
      text: null,
    });
    expect(showNotification).toHaveBeenCalledWith('Bada', expect.objectContaining({ body: 'secret' }));
  });
  it('keeps still while the person looks at the chat', async () => {
    const { push, showNotification } = worker([{ focused: true, url: 'https://a.example/chats/!r%3Ah' }]);
    await push(said);
    expect(showNotification).not.toHaveBeenCalled();
  });
  it('bears a push without words', async () => {
    const { tell, showNotification } = worker();
    await tell('push', { data: null });
    expect(showNotification).toHaveBeenCalledWith('Haechi', expect.objectContaining({ body: 'new' }));
  });
  it('opens the chat, in the window that is there', async () => {
    const window = { postMessage: vi.fn(), focus: vi.fn() };
    const { tell } = worker([window]);
    await tell('notificationclick', { notification: { close: vi.fn(), data: { path: '/chats/x' } } });
    expect(window.postMessage).toHaveBeenCalledWith({ open: '/chats/x' });
    expect(window.focus).toHaveBeenCalled();
  });
  it('opens a window when there is none', async () => {
    const { tell, openWindow } = worker();
    await tell('notificationclick', { notification: { close: vi.fn(), data: { path: '/chats/x' } } });
    expect(openWindow).toHaveBeenCalledWith('/chats/x');
  });
});

it('reads base64url keys', () => expect([...pushKeyBytes('-_8')]).toEqual([251, 255]));

describe('quiet hours', () => {
  it('are read', () =>
    expect(quietHoursIn({ start: '22:00', end: '07:00', time_zone: 'Asia/Seoul' })).toEqual({
      start: '22:00',
      end: '07:00',
    }));
  it.each([
    {},
    null,
    { start: '25:00', end: '07:00' },
    { start: '07:00', end: '07:00' },
    { start: 7, end: 8 },
  ])('are none: %j', (value) => expect(quietHoursIn(value)).toBe(null));
});
