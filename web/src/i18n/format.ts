/** Money, dates and times as people of the current language read them. Times come in microseconds UTC. */
import type { Money } from '../api/types';
import { language, t } from './i18n.svelte';

const LOCALES = { en: 'en-GB', ko: 'ko-KR' } as const;
const DAY_MS = 86_400_000;
const formatters = new Map<string, Intl.DateTimeFormat>();

export function locale(): string {
  return LOCALES[language.current];
}

/** `₩5,000`, and `5,000원` in Korean. `sign` puts a plus before money that comes in. */
export function money(value: Money, sign: 'none' | 'always' = 'none'): string {
  const style = { style: 'currency', currency: value.currency, currencyDisplay: 'narrowSymbol' } as const;
  const formatter = new Intl.NumberFormat(locale(), style);
  const digits = formatter.resolvedOptions().maximumFractionDigits ?? 0;
  const major = Math.abs(value.amount) / 10 ** digits;
  const mark = value.amount < 0 ? '−' : sign === 'always' ? '+' : '';
  if (language.current === 'ko' && value.currency === 'KRW') return `${mark}${count(major)}원`;
  return mark + formatter.format(major);
}

export function count(value: number): string {
  return new Intl.NumberFormat(locale()).format(value);
}

/** `14:05`, `오후 2:05`. */
export function clock(at: number): string {
  return formatted(at, { hour: 'numeric', minute: '2-digit' });
}

/** The line between two days of a chat or a history. */
export function day(at: number, now = Date.now()): string {
  const days = daysBetween(at, now);
  if (days === 0) return t('time.today');
  if (days === 1) return t('time.yesterday');
  const year = sameYear(at, now) ? undefined : 'numeric';
  return formatted(at, { year, month: 'long', day: 'numeric', weekday: 'long' });
}

/** Short, for a row of a list: the time today, then yesterday, then the date. */
export function brief(at: number, now = Date.now()): string {
  const days = daysBetween(at, now);
  if (days <= 0) return clock(at);
  if (days === 1) return t('time.yesterday');
  if (sameYear(at, now)) return formatted(at, { month: 'short', day: 'numeric' });
  return formatted(at, { year: 'numeric', month: 'numeric', day: 'numeric' });
}

/** Date and time in full, for details. */
export function moment(at: number): string {
  return formatted(at, { dateStyle: 'medium', timeStyle: 'short' });
}

export function fileSize(bytes: number): string {
  const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte'] as const;
  const step = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), units.length - 1);
  const style = { style: 'unit', unit: units[step], unitDisplay: 'short', maximumFractionDigits: 1 } as const;
  return new Intl.NumberFormat(locale(), style).format(bytes / 1000 ** step);
}

/** Which local calendar day a time falls on, as a key to group by. */
export function dayKey(at: number): string {
  const date = new Date(at / 1000);
  return `${date.getFullYear()}-${date.getMonth() + 1}-${date.getDate()}`;
}

function formatted(at: number, options: Intl.DateTimeFormatOptions): string {
  const key = locale() + JSON.stringify(options);
  let formatter = formatters.get(key);
  if (!formatter) formatters.set(key, (formatter = new Intl.DateTimeFormat(locale(), options)));
  return formatter.format(new Date(at / 1000));
}

function daysBetween(at: number, nowMs: number): number {
  const start = (ms: number) => new Date(ms).setHours(0, 0, 0, 0);
  return Math.round((start(nowMs) - start(at / 1000)) / DAY_MS);
}

function sameYear(at: number, nowMs: number): boolean {
  return new Date(at / 1000).getFullYear() === new Date(nowMs).getFullYear();
}
