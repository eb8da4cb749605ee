import { describe, expect, it } from 'vitest';
import { answersOf, counted, endPoll, pollOf, startPoll, vote, type Poll } from './poll';

let last = 0;
const started = startPoll('Where?', ['Sea', 'Hill'], 1, () => `a${(last += 1)}`);
const poll = pollOf(started.type, started.content) as Poll;
const [sea, hill] = poll.answers.map((answer) => answer.id) as [string, string];

describe('polls', () => {
  it('reads back what it writes', () =>
    expect(poll).toMatchObject({ question: 'Where?', choices: 1, open: true, form: 'older', ended: false }));

  it('reads the stable form', () => {
    const content = {
      'm.poll': {
        kind: 'm.undisclosed',
        question: { 'm.text': [{ body: 'Q' }] },
        answers: [{ 'm.id': 'x', 'm.text': [{ body: 'A' }] }],
      },
    };
    expect(pollOf('m.poll.start', content)).toMatchObject({
      question: 'Q',
      answers: [{ id: 'x', text: 'A' }],
      open: false,
      form: 'stable',
    });
  });

  it.each([{}, { 'm.poll': { question: { 'm.text': [{ body: 'Q' }] }, answers: [] } }, { 'm.poll': 7 }])(
    'is nothing without question and answers: %j',
    (content) => expect(pollOf('m.poll.start', content)).toBe(null),
  );

  it('counts the last vote of each person', () => {
    const result = counted(
      poll,
      [
        { sender: 'a', at: 1, answers: [sea] },
        { sender: 'b', at: 2, answers: [sea] },
        { sender: 'a', at: 3, answers: [hill] },
      ],
      null,
      'a',
    );
    expect(result).toMatchObject({ votes: { [sea]: ['b'], [hill]: ['a'] }, voters: 2, mine: [hill] });
  });

  it('does not count what came after the end, too many answers, or unknown ones', () => {
    const ballots = [
      { sender: 'a', at: 9, answers: [sea] },
      { sender: 'b', at: 1, answers: [hill, sea] },
      { sender: 'c', at: 1, answers: ['nothing'] },
    ];
    expect(counted(poll, ballots, 5, 'a')).toMatchObject({
      votes: { [hill]: ['b'] },
      voters: 1,
      mine: [],
      ended: true,
    });
  });

  it('votes and ends in the form of the poll', () => {
    const ballot = vote('$p', poll, [sea]);
    expect(answersOf(ballot.type, ballot.content)).toEqual([sea]);
    expect(endPoll('$p', poll, 'over').type).toBe('org.matrix.msc3381.poll.end');
    const stable = vote('$p', { ...poll, form: 'stable' }, [sea]);
    expect(answersOf(stable.type, stable.content)).toEqual([sea]);
  });
});
