/** A message of a service (a receipt, a booking, a ride): a title, some lines, and buttons that lead somewhere. */
import { list, record, text } from './values';

export interface Card {
  title: string;
  text: string;
  rows: { label: string; value: string }[];
  buttons: { label: string; url: string }[];
}

const ROWS_MAX = 20;
const BUTTONS_MAX = 5;

/** Reads `org.haechi.card`; nothing when it has neither title nor text. Buttons that lead nowhere safe are left out. */
export function cardOf(value: unknown): Card | null {
  const fields = record(value);
  const card: Card = {
    title: text(fields.title),
    text: text(fields.text),
    rows: list(fields.rows)
      .slice(0, ROWS_MAX)
      .map((row) => ({ label: text(record(row).label), value: text(record(row).value) }))
      .filter((row) => row.label || row.value),
    buttons: list(fields.buttons)
      .slice(0, BUTTONS_MAX)
      .map((button) => ({ label: text(record(button).label), url: safeLink(text(record(button).url)) }))
      .filter((button) => button.label && button.url),
  };
  return card.title || card.text ? card : null;
}

/** A path inside the app, or an https address; empty for anything else. */
export function safeLink(url: string): string {
  if (/^\/(?![/\\])[^\s\\]*$/.test(url)) return url;
  if (!URL.canParse(url)) return '';
  const { protocol, username, password } = new URL(url);
  return protocol === 'https:' && !username && !password ? url : '';
}
