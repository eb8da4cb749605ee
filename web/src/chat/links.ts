/** Web addresses inside a text, so that they can be tapped. Only http and https. */
export interface Part {
  text: string;
  link: boolean;
}

const ADDRESS = /https?:\/\/[^\s<>"]+/g;
/** Signs that end a sentence rather than an address. */
const TRAILING = /[.,;:!?)\]}'"…。、]+$/;

export function partsOf(text: string): Part[] {
  const parts: Part[] = [];
  let from = 0;
  for (const match of text.matchAll(ADDRESS)) {
    const address = match[0].replace(TRAILING, '');
    if (!URL.canParse(address)) continue;
    if (match.index > from) parts.push({ text: text.slice(from, match.index), link: false });
    parts.push({ text: address, link: true });
    from = match.index + address.length;
  }
  if (from < text.length) parts.push({ text: text.slice(from), link: false });
  return parts;
}
