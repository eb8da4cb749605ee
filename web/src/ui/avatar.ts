/** The letters and the colour of a person's avatar. */

/** Warm and calm hues that stand beside the accent. */
const HUES = [14, 32, 46, 88, 150, 178, 205, 228, 268, 330] as const;

export function hueOf(id: string): number {
  let sum = 7;
  for (const character of id) sum = (sum * 31 + character.codePointAt(0)!) >>> 0;
  return HUES[sum % HUES.length]!;
}

/** `김준호` -> `준호`, `Minji Kim` -> `MK`, `` -> `?`. */
export function initialsOf(name: string): string {
  const trimmed = name.trim().replace(/^@/, '');
  if (!trimmed) return '?';
  if (/^[가-힣]{2,4}$/.test(trimmed)) return trimmed.slice(-2);
  const words = trimmed.split(/\s+/);
  const first = firstLetter(words[0]!);
  const last = words.length > 1 ? firstLetter(words.at(-1)!) : '';
  return (first + last).toLocaleUpperCase();
}

function firstLetter(word: string): string {
  const segments = new Intl.Segmenter().segment(word);
  return [...segments][0]?.segment ?? '';
}
