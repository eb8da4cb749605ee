import { describe, expect, test } from 'vitest';
import { samples } from './tone';

const RATE = 8_000;

/** How much of a wave sounds at a frequency. */
function strength(wave: Float32Array, hertz: number): number {
  let [sine, cosine] = [0, 0];
  wave.forEach((sample, at) => {
    sine += sample * Math.sin((2 * Math.PI * hertz * at) / RATE);
    cosine += sample * Math.cos((2 * Math.PI * hertz * at) / RATE);
  });
  return (2 * Math.hypot(sine, cosine)) / wave.length;
}

describe('the tones of a call', () => {
  test('who calls hears a second of sound and two of silence', () => {
    const round = samples('calling', RATE);
    expect(round.length).toBe(3 * RATE);
    const sound = round.subarray(0, RATE);
    expect([440, 460, 480].map((hertz) => strength(sound, hertz) > 0.1)).toEqual([true, false, true]);
    expect(round.subarray(RATE).every((sample) => sample === 0)).toBe(true);
  });

  test('who is called hears notes, then a pause', () => {
    const round = samples('incoming', RATE);
    const note = round.subarray(0, 0.22 * RATE);
    expect([659, 784].map((hertz) => strength(note, hertz) > 0.1)).toEqual([true, false]);
    expect(round.subarray(RATE).every((sample) => sample === 0)).toBe(true);
  });

  test.each(['incoming', 'calling'] as const)('%s begins and ends softly and is never too loud', (tone) => {
    const round = samples(tone, RATE);
    expect(Math.abs(round[1]!)).toBeLessThan(0.01);
    expect(Math.abs(round.at(-1)!)).toBe(0);
    expect(Math.max(...round)).toBeLessThanOrEqual(0.25);
    expect(Math.max(...round)).toBeGreaterThan(0.2);
  });
});
