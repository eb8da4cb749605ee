import { describe, expect, it } from 'vitest';
import { pathOf, routeOf, tabOf, type Route } from './routes';

describe('routes', () => {
  const routes: Route[] = [
    { page: 'friends' },
    { page: 'chats' },
    { page: 'chat', roomId: '!a/b c:localhost' },
    { page: 'chat', roomId: '!a:b', eventId: '$x/y' },
    { page: 'services' },
    { page: 'wallet' },
    { page: 'send' },
    { page: 'me' },
    { page: 'devices' },
    { page: 'password' },
    { page: 'notifications' },
    { page: 'secrets' },
    { page: 'sites' },
  ];
  it.each(routes)('comes back from its path: %j', (route) => expect(routeOf(pathOf(route))).toEqual(route));
  it('shows the chats for an unknown path', () =>
    expect(routeOf('/nothing/here')).toEqual({ page: 'chats' }));
  it('bears a broken escape', () => expect(routeOf('/chats/%E0%A4%A')).toEqual({ page: 'chats' }));
  it('forgives a slash at the end', () => expect(routeOf('/wallet/')).toEqual({ page: 'wallet' }));
  it('lights the tab of a page below it', () => expect(tabOf({ page: 'devices' })).toBe('me'));
});
