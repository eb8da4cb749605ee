import { describe, expect, it } from 'vitest';
import { albumsOf, blocksOf } from './grouping';
import type { Body, Message } from './message';

const minute = 60_000_000;
const message = (
  id: string,
  sender: string,
  at: number,
  body: Body = { kind: 'text', text: id },
): Message => ({
  id,
  sender,
  at,
  body,
  state: 'sent',
  unreadBy: 0,
});
const dayKey = (at: number) => String(Math.floor(at / (1440 * minute)));
const shape = (messages: Message[], group = true) =>
  blocksOf(messages, dayKey, group).map((block) =>
    block.kind === 'group' ? block.messages.map((one) => one.id).join('+') : block.kind,
  );

describe('blocksOf', () => {
  it('joins one sender in one minute', () =>
    expect(shape([message('1', 'a', 0), message('2', 'a', 1), message('3', 'b', 2)])).toEqual([
      'day',
      '1+2',
      '3',
    ]));

  it('parts minutes', () =>
    expect(shape([message('1', 'a', 0), message('2', 'a', minute)])).toEqual(['day', '1', '2']));

  it('parts days, and a notice parts a group', () => {
    const joined: Body = { kind: 'membership', change: 'joined', who: 'c' };
    const all = [message('1', 'a', 0), message('n', 'c', 1, joined), message('2', 'a', 2)];
    expect(shape([...all, message('3', 'a', 1440 * minute)])).toEqual([
      'day',
      '1',
      'notice',
      '2',
      'day',
      '3',
    ]);
  });

  it('does not tell two people that they are there', () => {
    const joined: Body = { kind: 'membership', change: 'joined', who: 'c' };
    expect(shape([message('n', 'c', 1, joined), message('2', 'a', 2)], false)).toEqual(['day', '2']);
  });

  it('has nothing to say about nothing', () => expect(shape([])).toEqual([]));

  it('draws a line before what is new', () => {
    const kinds = blocksOf([message('1', 'a', 0), message('2', 'a', 1)], dayKey, true, '2').map(
      (block) => block.kind,
    );
    expect(kinds).toEqual(['day', 'group', 'unread', 'group']);
  });
});

describe('albumsOf', () => {
  const photo = (id: string, album?: string): Message =>
    message(id, 'a', 0, {
      kind: 'image',
      album,
      media: { url: 'mxc://h/1', name: id, type: 'image/png', bytes: 1 },
    });
  it('keeps photos of one album together', () =>
    expect(
      albumsOf([photo('1', 'x'), photo('2', 'x'), photo('3', 'y'), photo('4'), photo('5')]).map((one) =>
        one.map(({ id }) => id).join('+'),
      ),
    ).toEqual(['1+2', '3', '4', '5']));
  it('leaves one that failed alone', () =>
    expect(albumsOf([photo('1', 'x'), { ...photo('2', 'x'), state: 'failed' }])).toHaveLength(2));
});
