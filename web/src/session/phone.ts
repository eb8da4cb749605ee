/** Phone numbers as people type them, and as the server wants them (E.164). */

/** Where the app is at home: numbers that start with 0 belong here. */
const HOME_COUNTRY_CODE = '82';

/** `010-1234-5678` -> `+821012345678`; a number with `+` or `00` keeps its country. `null` when it is no number. */
export function toE164(typed: string): string | null {
  const text = typed.trim().normalize('NFKC');
  if (/[^\d\s().+-]/.test(text)) return null;
  const digits = text.replace(/\D/g, '');
  const international = text.startsWith('+') ? digits : digits.startsWith('00') ? digits.slice(2) : null;
  const number = international ?? (digits.startsWith('0') ? HOME_COUNTRY_CODE + digits.slice(1) : '');
  return /^[1-9]\d{7,14}$/.test(number) ? `+${number}` : null;
}

/** `+821012345678` -> `010-1234-5678`; other countries stay as they are. */
export function forReading(e164: string): string {
  const home = /^\+82(1\d)(\d{3,4})(\d{4})$/.exec(e164);
  return home ? `0${home[1]}-${home[2]}-${home[3]}` : e164;
}
