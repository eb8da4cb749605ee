import { expect, it } from 'vitest';
import { barsOf, lengthText } from './waveform';

it('keeps the peaks', () => expect(barsOf([0, 2, 0, 4, 1, 1], 3)).toEqual([0.5, 1, 0.25]));
it('has no more bars than samples', () => expect(barsOf([1], 40)).toEqual([1]));
it('bears silence and nothing', () => {
  expect(barsOf([0, 0], 2)).toEqual([0, 0]);
  expect(barsOf([], 40)).toEqual([]);
});
it('says how long', () => expect([0, 61_400, 600_000].map(lengthText)).toEqual(['0:00', '1:01', '10:00']));
