/** The shape of a voice: many loudness samples made into a few bars. Pure. */

/** As many bars as `count`, each the loudest of its part, the tallest of all at 1. */
export function barsOf(samples: readonly number[], count: number): number[] {
  if (!samples.length) return [];
  const total = Math.min(count, samples.length);
  const bars = Array.from({ length: total }, (_, bar) => {
    const from = Math.floor((bar * samples.length) / total);
    const to = Math.max(from + 1, Math.floor(((bar + 1) * samples.length) / total));
    return Math.max(...samples.slice(from, to).map((sample) => Math.max(0, sample)));
  });
  const top = Math.max(...bars);
  return bars.map((bar) => (top > 0 ? Math.round((bar / top) * 100) / 100 : 0));
}

/** `1:05` */
export function lengthText(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}
