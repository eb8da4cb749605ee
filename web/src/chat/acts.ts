/** What a person does to messages. All of it goes through the outbox: it survives being offline and is done once. */
import { editContent, reactionContent } from '../outbox/content';
import { outbox } from '../outbox/outbox.svelte';
import { editsOf } from './conversation';
import { EDIT_OF_DELETED } from './events';
import type { Message, RawEvent } from './message';
import { endPoll, startPoll, vote, type Poll } from './poll';

/** Puts a sign under a message, or takes it back. */
export function toggleReaction(roomId: string, message: Message, key: string): void {
  const mine = message.reactions?.find((reaction) => reaction.key === key)?.mine;
  if (mine) takeBack(roomId, mine);
  else send(roomId, 'm.reaction', reactionContent(message.id, key));
}

export function edit(roomId: string, message: Message, words: string): void {
  if (message.body.kind === 'text' && message.body.text === words) return;
  send(roomId, 'm.room.message', editContent(message.id, words));
}

/** Deletes for all: the message, and what it said before and after its edits. */
export function removeMessage(roomId: string, events: readonly RawEvent[], eventId: string): void {
  for (const target of editsOf(events, eventId)) {
    void outbox.add({ kind: 'redaction', roomId, target, reason: EDIT_OF_DELETED });
  }
  void outbox.add({ kind: 'redaction', roomId, target: eventId });
}

/** Sends what a message holds to another chat, as the person's own. */
export function forward(event: RawEvent, toRoomId: string): void {
  const content = { ...event.content };
  delete content['m.relates_to'];
  delete content['m.mentions'];
  delete content['org.haechi.album'];
  send(toRoomId, event.type, content);
}

export function startNewPoll(roomId: string, question: string, answers: string[], choices: number): void {
  const poll = startPoll(question, answers, choices, () => crypto.randomUUID());
  send(roomId, poll.type, poll.content);
}

export function castVote(roomId: string, pollId: string, poll: Poll, answers: string[]): void {
  const ballot = vote(pollId, poll, answers);
  send(roomId, ballot.type, ballot.content);
}

export function closePoll(roomId: string, pollId: string, poll: Poll, words: string): void {
  const end = endPoll(pollId, poll, words);
  send(roomId, end.type, end.content);
}

function takeBack(roomId: string, id: string): void {
  const waiting = outbox.find(id);
  // What never left the device need not be taken away anywhere else.
  if (waiting && !waiting.tried) void outbox.discard(id);
  else void outbox.add({ kind: 'redaction', roomId, target: id });
}

function send(roomId: string, type: string, content: Record<string, unknown>): void {
  void outbox.add({ kind: 'event', roomId, type, content });
}
