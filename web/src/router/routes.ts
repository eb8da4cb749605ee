/** The pages of the app and their paths. Pure: path -> page and page -> path. */

export type Tab = 'friends' | 'chats' | 'services' | 'wallet' | 'me';

export type Route =
  | { page: 'friends' }
  | { page: 'chats' }
  /** `eventId`: a message to lead to. */
  | { page: 'chat'; roomId: string; eventId?: string }
  | { page: 'services' }
  | { page: 'wallet' }
  | { page: 'send' }
  | { page: 'me' }
  | { page: 'devices' }
  | { page: 'password' }
  | { page: 'notifications' }
  | { page: 'secrets' }
  | { page: 'sites' };

const PLAIN_PATHS = {
  friends: '/friends',
  chats: '/chats',
  services: '/services',
  wallet: '/wallet',
  send: '/wallet/send',
  me: '/me',
  devices: '/me/devices',
  password: '/me/password',
  notifications: '/me/notifications',
  secrets: '/me/secrets',
  sites: '/me/sites',
} as const;

const HOME: Route = { page: 'chats' };

/** The page at `path`; the home page for a path the app does not know. */
export function routeOf(path: string): Route {
  const trimmed = path.length > 1 ? path.replace(/\/+$/, '') : path;
  const chat = /^\/chats\/([^/]+)(?:\/([^/]+))?$/.exec(trimmed);
  if (chat?.[1]) {
    try {
      const roomId = decodeURIComponent(chat[1]);
      return { page: 'chat', roomId, ...(chat[2] ? { eventId: decodeURIComponent(chat[2]) } : {}) };
    } catch {
      return HOME;
    }
  }
  const known = Object.entries(PLAIN_PATHS).find(([, plain]) => plain === trimmed);
  return known ? ({ page: known[0] } as Route) : HOME;
}

export function pathOf(route: Route): string {
  if (route.page !== 'chat') return PLAIN_PATHS[route.page];
  const path = `/chats/${encodeURIComponent(route.roomId)}`;
  return route.eventId ? `${path}/${encodeURIComponent(route.eventId)}` : path;
}

/** The tab that is lit while a page is shown. */
export function tabOf(route: Route): Tab {
  switch (route.page) {
    case 'chat':
      return 'chats';
    case 'send':
      return 'wallet';
    case 'devices':
    case 'password':
    case 'notifications':
    case 'secrets':
    case 'sites':
      return 'me';
    default:
      return route.page;
  }
}
