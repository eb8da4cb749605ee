/** The pages of the app and their paths. Pure: path -> page and page -> path. */

export type Tab = 'friends' | 'chats' | 'services' | 'wallet' | 'me';

export type Route =
  | { page: 'friends' }
  | { page: 'chats' }
  | { page: 'chat'; roomId: string }
  | { page: 'services' }
  | { page: 'wallet' }
  | { page: 'send' }
  | { page: 'me' }
  | { page: 'devices' }
  | { page: 'password' }
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
  sites: '/me/sites',
} as const;

const HOME: Route = { page: 'chats' };

/** The page at `path`; the home page for a path the app does not know. */
export function routeOf(path: string): Route {
  const trimmed = path.length > 1 ? path.replace(/\/+$/, '') : path;
  const chat = /^\/chats\/([^/]+)$/.exec(trimmed);
  if (chat?.[1]) {
    try {
      return { page: 'chat', roomId: decodeURIComponent(chat[1]) };
    } catch {
      return HOME;
    }
  }
  const known = Object.entries(PLAIN_PATHS).find(([, plain]) => plain === trimmed);
  return known ? ({ page: known[0] } as Route) : HOME;
}

export function pathOf(route: Route): string {
  return route.page === 'chat' ? `/chats/${encodeURIComponent(route.roomId)}` : PLAIN_PATHS[route.page];
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
    case 'sites':
      return 'me';
    default:
      return route.page;
  }
}
