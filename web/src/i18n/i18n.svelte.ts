/** The language of the app. Strings: en.ts and ko.ts, with the same keys (a test holds them to it). */
import { en, type StringKey } from './en';
import { ko } from './ko';

export type Language = 'en' | 'ko';

const STORAGE_KEY = 'haechi.language';
const STRINGS: Record<Language, Record<StringKey, string>> = { en, ko };

class LanguageState {
  current = $state<Language>(initial());

  choose(language: Language): void {
    this.current = language;
    globalThis.localStorage?.setItem(STORAGE_KEY, language);
    this.apply();
  }

  apply(): void {
    document.documentElement.lang = this.current;
  }
}

function initial(): Language {
  const stored = globalThis.localStorage?.getItem(STORAGE_KEY);
  if (stored === 'en' || stored === 'ko') return stored;
  const wanted = globalThis.navigator?.languages ?? [globalThis.navigator?.language ?? 'en'];
  return wanted
    .find((tag) => /^(ko|en)\b/i.test(tag))
    ?.toLowerCase()
    .startsWith('ko')
    ? 'ko'
    : 'en';
}

export const language = new LanguageState();

/** The string of `key` in the current language, with `{name}` filled in. */
export function t(key: StringKey, values?: Record<string, string | number>): string {
  return fill(STRINGS[language.current][key], values);
}

/** Fills `{name}` in a pattern. */
export function fill(pattern: string, values?: Record<string, string | number>): string {
  return values
    ? pattern.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole))
    : pattern;
}
