/** Says in the person's language why something did not work. */
import { t } from '../i18n/i18n.svelte';
import type { StringKey } from '../i18n/en';
import { en } from '../i18n/en';
import { Refused, Unreachable } from './problems';

export function explain(error: unknown): string {
  if (error instanceof Unreachable) return t('problem.unreachable');
  if (error instanceof Refused) return explainSlug(error.slug, error.status);
  return t('problem.unknown');
}

/** The words for a problem type, or general ones for a problem the app does not know. */
export function explainSlug(slug: string | undefined, status = 0): string {
  const key = `problem.${slug}`;
  if (key in en) return t(key as StringKey);
  if (status === 429) return t('problem.too-many-requests');
  return t('problem.unknown');
}
