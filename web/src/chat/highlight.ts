/** Where searched words stand in a text. */
export interface Piece {
  text: string;
  found: boolean;
}

/** Without regard to case. A text in which the words are not comes back whole. */
export function piecesOf(text: string, words: string): Piece[] {
  const wanted = words.trim().toLocaleLowerCase();
  const lower = text.toLocaleLowerCase();
  // Some letters change length with their case; then places in one are not places in the other.
  if (!wanted || lower.length !== text.length) return text ? [{ text, found: false }] : [];
  const pieces: Piece[] = [];
  let from = 0;
  for (let at = lower.indexOf(wanted); at >= 0; at = lower.indexOf(wanted, from)) {
    if (at > from) pieces.push({ text: text.slice(from, at), found: false });
    from = at + wanted.length;
    pieces.push({ text: text.slice(at, from), found: true });
  }
  if (from < text.length) pieces.push({ text: text.slice(from), found: false });
  return pieces;
}
