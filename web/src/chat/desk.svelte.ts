/** What is going on in one open chat beside its messages: which one is held, answered, edited, looked at. */
import { getContext, setContext } from 'svelte';
import type { Message } from './message';
import type { Timeline } from './timeline.svelte';

const KEY = Symbol('desk');

export class Desk {
  /** The message whose menu is open. */
  held = $state.raw<Message | null>(null);
  answering = $state.raw<Message | null>(null);
  editing = $state.raw<Message | null>(null);
  /** The photo that is shown large. */
  viewing = $state.raw<Message | null>(null);
  forwarding = $state.raw<Message | null>(null);
  reporting = $state.raw<Message | null>(null);

  constructor(
    readonly timeline: Timeline,
    readonly nameOf: (userId: string) => string,
    /** Whether the chat is end-to-end encrypted. */
    readonly isSecret: () => boolean,
  ) {}

  get roomId(): string {
    return this.timeline.roomId;
  }

  answer(message: Message): void {
    this.editing = null;
    this.answering = message;
  }

  edit(message: Message): void {
    this.answering = null;
    this.editing = message;
  }

  /** The message as it is now: it may have changed since it was taken up. */
  now(message: Message): Message {
    return this.timeline.messages.find((one) => one.id === message.id) ?? message;
  }
}

export function openDesk(desk: Desk): Desk {
  return setContext(KEY, desk);
}

export function useDesk(): Desk {
  return getContext<Desk>(KEY);
}
