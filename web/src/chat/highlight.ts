/** Where searched words stand in a text. */
export interface Piece {
  text: string;
  found: boolean;
}

/** The words of a search: all of them are looked for, in any order. */
export function wordsOf(typed: string): string[] {
  return typed.toLocaleLowerCase().split(/\s+/).filter(Boolean);
}

/** Without regard to case. A text in which none of the words is comes back whole. */
export function piecesOf(text: string, typed: string): Piece[] {
  const words = wordsOf(typed);
  const lower = text.toLocaleLowerCase();
  // Some letters change length with their case; then places in one are not places in the other.
  if (!words.length || lower.length !== text.length) return text ? [{ text, found: false }] : [];
  const pieces: Piece[] = [];
  let from = 0;
  for (let next = nextWord(lower, words, 0); next; next = nextWord(lower, words, from)) {
    if (next.at > from) pieces.push({ text: text.slice(from, next.at), found: false });
    from = next.at + next.length;
    pieces.push({ text: text.slice(next.at, from), found: true });
  }
  if (from < text.length) pieces.push({ text: text.slice(from), found: false });
  return pieces;
}

/** A long text is cut so that the first word that was found is seen. */
export function excerptOf(text: string, typed: string, before: number): string {
  const next = nextWord(text.toLocaleLowerCase(), wordsOf(typed), 0);
  return next && next.at > before * 2 ? `…${text.slice(next.at - before)}` : text;
}

/** The first of the words from a place on; the longer one where two begin. */
function nextWord(lower: string, words: string[], from: number): { at: number; length: number } | null {
  let first: { at: number; length: number } | null = null;
  for (const word of words) {
    const at = lower.indexOf(word, from);
    if (at < 0) continue;
    if (!first || at < first.at || (at === first.at && word.length > first.length))
      first = { at, length: word.length };
  }
  return first;
}
