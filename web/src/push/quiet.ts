/** Quiet hours: when nothing may buzz, on all of a person's devices. Kept as account data. */
import { Refused } from '../api/problems';
import { matrix, userPath } from '../chat/matrix';
import { record, text } from '../chat/values';
import { session } from '../session/session.svelte';

export interface QuietHours {
  /** `22:00` */
  start: string;
  end: string;
}

export const USUAL: QuietHours = { start: '22:00', end: '07:00' };

const path = () => `${userPath(session.userId)}/account_data/org.haechi.quiet_hours`;

export async function readQuietHours(): Promise<QuietHours | null> {
  try {
    return quietHoursIn(await matrix('GET', path()));
  } catch (error) {
    if (error instanceof Refused && error.status === 404) return null;
    throw error;
  }
}

/** `null` takes them back. The time zone is this device's. */
export async function keepQuietHours(hours: QuietHours | null): Promise<void> {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || 'Asia/Seoul';
  await matrix('PUT', path(), hours ? { ...hours, time_zone: zone } : {});
}

export function quietHoursIn(value: unknown): QuietHours | null {
  const fields = record(value);
  const [start, end] = [text(fields.start), text(fields.end)];
  const isTime = (time: string) => /^([01]\d|2[0-3]):[0-5]\d$/.test(time);
  return isTime(start) && isTime(end) && start !== end ? { start, end } : null;
}
