/** Polls: reading and writing them in the stable (`m.poll.*`) and the older form, and counting votes. Pure. */
import { list, number, record, text } from './values';

export interface Poll {
  question: string;
  answers: { id: string; text: string }[];
  /** How many answers one person may choose. */
  choices: number;
  /** Votes show while the poll runs. */
  open: boolean;
  /** Votes and the end are written in the form the poll was written in. */
  form: 'stable' | 'older';
  votes: Record<string, string[]>;
  voters: number;
  mine: string[];
  ended: boolean;
}

/** A vote or the end of a poll, as it came. */
export interface Ballot {
  sender: string;
  at: number;
  answers: string[];
}

const ANSWERS_MAX = 20;
const OLDER = 'org.matrix.msc3381.poll';
const OLDER_TEXT = 'org.matrix.msc1767.text';

/** Reads a poll; nothing when it has no question or fewer than one answer. */
export function pollOf(type: string, content: Record<string, unknown>): Poll | null {
  const stable = type === 'm.poll.start';
  const start = record(stable ? content['m.poll'] : content[`${OLDER}.start`]);
  const question = words(start.question);
  const answers = list(start.answers)
    .slice(0, ANSWERS_MAX)
    .map((answer) => ({ id: text(record(answer)[stable ? 'm.id' : 'id']), text: words(answer) }))
    .filter((answer) => answer.id && answer.text);
  if (!question || !answers.length) return null;
  return {
    question,
    answers,
    choices: Math.max(1, Math.floor(number(start.max_selections) ?? 1)),
    open: text(start.kind) !== (stable ? 'm.undisclosed' : `${OLDER}.undisclosed`),
    form: stable ? 'stable' : 'older',
    votes: {},
    voters: 0,
    mine: [],
    ended: false,
  };
}

/** What a person chose with a response event. */
export function answersOf(type: string, content: Record<string, unknown>): string[] {
  const chosen =
    type === 'm.poll.response' ? content['m.selections'] : record(content[`${OLDER}.response`]).answers;
  return list(chosen).map(text).filter(Boolean);
}

/** Counts: the last ballot of each person before the end, answers the poll knows, no more of them than allowed. */
export function counted(poll: Poll, ballots: readonly Ballot[], endedAt: number | null, me: string): Poll {
  const last = new Map<string, Ballot>();
  for (const ballot of ballots) {
    if (endedAt !== null && ballot.at > endedAt) continue;
    const before = last.get(ballot.sender);
    if (!before || before.at <= ballot.at) last.set(ballot.sender, ballot);
  }
  const known = new Set(poll.answers.map((answer) => answer.id));
  const votes: Record<string, string[]> = {};
  let voters = 0;
  let mine: string[] = [];
  for (const { sender, answers } of last.values()) {
    const valid = [...new Set(answers)].slice(0, poll.choices).filter((answer) => known.has(answer));
    if (!valid.length) continue;
    voters += 1;
    if (sender === me) mine = valid;
    for (const answer of valid) (votes[answer] ??= []).push(sender);
  }
  return { ...poll, votes, voters, mine, ended: endedAt !== null };
}

/** A new poll, in the form that today's clients know. */
export function startPoll(question: string, answers: string[], choices: number, newId: () => string) {
  const listed = answers.map((answer, index) => `${index + 1}. ${answer}`).join('\n');
  return {
    type: `${OLDER}.start`,
    content: {
      [OLDER_TEXT]: `${question}\n${listed}`,
      [`${OLDER}.start`]: {
        kind: `${OLDER}.disclosed`,
        max_selections: choices,
        question: { [OLDER_TEXT]: question },
        answers: answers.map((answer) => ({ id: newId(), [OLDER_TEXT]: answer })),
      },
    },
  };
}

export function vote(pollId: string, poll: Poll, answers: string[]) {
  const relation = { 'm.relates_to': { rel_type: 'm.reference', event_id: pollId } };
  return poll.form === 'stable'
    ? { type: 'm.poll.response', content: { ...relation, 'm.selections': answers } }
    : { type: `${OLDER}.response`, content: { ...relation, [`${OLDER}.response`]: { answers } } };
}

/** Ends a poll. `words` is what clients without polls show. */
export function endPoll(pollId: string, poll: Poll, words: string) {
  const relation = { 'm.relates_to': { rel_type: 'm.reference', event_id: pollId } };
  return poll.form === 'stable'
    ? { type: 'm.poll.end', content: { ...relation, 'm.text': [{ body: words }] } }
    : { type: `${OLDER}.end`, content: { ...relation, [`${OLDER}.end`]: {}, [OLDER_TEXT]: words } };
}

/** Text in any of the forms extensible events have had. */
function words(value: unknown): string {
  const fields = record(value);
  const parts = list(fields['m.text']).map((part) => text(record(part).body));
  return (parts.find(Boolean) ?? text(fields[OLDER_TEXT]) ?? '').trim() || text(fields.body).trim();
}
