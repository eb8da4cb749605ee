import { describe, expect, it } from 'vitest';
import { cardOf, safeLink } from './card';

describe('cardOf', () => {
  it('reads a receipt', () => {
    const card = {
      title: 'Ride',
      text: 'Thank you',
      rows: [{ label: 'Fare', value: '₩8,000' }],
      buttons: [{ label: 'See', url: '/wallet' }],
    };
    expect(cardOf(card)).toEqual(card);
  });
  it('leaves out buttons that lead nowhere safe', () =>
    expect(
      cardOf({ title: 'x', buttons: [{ label: 'a', url: 'javascript:alert(1)' }, { label: 'b' }] }),
    ).toEqual({
      title: 'x',
      text: '',
      rows: [],
      buttons: [],
    }));
  it.each([null, 7, 'x', [], {}, { rows: [{ label: 'a' }] }])('is nothing without words: %j', (value) =>
    expect(cardOf(value)).toBe(null),
  );
});

describe('safeLink', () => {
  it.each(['/wallet', '/chats/!a:b', 'https://haechi.kr/x?y=1'])('lets %s through', (url) =>
    expect(safeLink(url)).toBe(url),
  );
  it.each([
    '//evil.example',
    '/\\evil.example',
    'http://a.example',
    'data:text/html,x',
    'https://me@evil.example',
    '',
  ])('stops %s', (url) => expect(safeLink(url)).toBe(''));
});
