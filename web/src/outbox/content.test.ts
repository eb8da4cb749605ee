import { describe, expect, it } from 'vitest';
import { messageOf } from '../chat/message';
import { editContent, eventOf, fileContent, isMessage, reactionContent, textContent } from './content';
import type { FileEntry, OutboxEntry, TextEntry } from './entry';

const common = { id: 'key', owner: '@me:h', createdAt: 1_000_000, state: 'waiting' as const, tried: false };
const file = (type: string, rest: Partial<FileEntry> = {}): FileEntry => ({
  ...common,
  kind: 'file',
  roomId: '!r',
  file: new Blob(['12345'], { type }),
  name: 'a',
  ...rest,
});
const shown = (entry: OutboxEntry) => messageOf(eventOf(entry, 'waiting'));

describe('outbox entries', () => {
  it('look in the chat like what they become', () => {
    const entry: TextEntry = {
      ...common,
      kind: 'text',
      roomId: '!r',
      text: 'hi',
      replyTo: { eventId: '$1', sender: '@a:h' },
    };
    expect(shown(entry)).toMatchObject({
      id: 'key',
      at: 1_000_000,
      state: 'waiting',
      replyTo: '$1',
      body: { kind: 'text', text: 'hi' },
    });
    expect(textContent(entry)['m.mentions']).toEqual({ user_ids: ['@a:h'] });
  });

  it.each([
    ['image/png', 'image'],
    ['video/mp4', 'video'],
    ['text/plain', 'file'],
  ])('shows %s as %s', (type, kind) =>
    expect(shown(file(type))).toMatchObject({ body: { kind, media: { url: 'outbox:key', bytes: 5 } } }),
  );

  it('keeps the shape of a voice', () =>
    expect(shown(file('audio/webm', { waveform: [0, 0.5, 1], durationMs: 2_000 }))?.body).toMatchObject({
      kind: 'voice',
      waveform: [0, 0.5, 1],
      media: { durationMs: 2_000 },
    }));

  it('names a sealed file only with its key', () => {
    const content = fileContent(file('image/png', { key: { key: 'k', iv: 'i', hash: 'h' } }), 'mxc://h/1');
    expect(content.url).toBeUndefined();
    const event = { ...eventOf(file('image/png'), 'waiting'), content };
    expect(messageOf(event)?.body).toMatchObject({
      media: { url: 'mxc://h/1', key: { key: 'k', iv: 'i', hash: 'h' } },
    });
  });

  it('tells messages from what belongs to messages', () => {
    const event = (type: string, content: Record<string, unknown>): OutboxEntry => ({
      ...common,
      kind: 'event',
      roomId: '!r',
      type,
      content,
    });
    expect(isMessage(event('m.room.message', { msgtype: 'm.text', body: 'x' }))).toBe(true);
    expect(isMessage(event('org.matrix.msc3381.poll.start', {}))).toBe(true);
    expect(isMessage(event('org.matrix.msc3381.poll.response', {}))).toBe(false);
    expect(isMessage(event('m.reaction', reactionContent('$1', 'x')))).toBe(false);
    expect(isMessage(event('m.room.message', editContent('$1', 'x')))).toBe(false);
    expect(isMessage({ ...common, kind: 'redaction', roomId: '!r', target: '$1' })).toBe(false);
  });
});
