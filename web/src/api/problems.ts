/**
 * What can go wrong with a request: the server said no (`Refused`), or it could not be reached (`Unreachable`).
 */

/** The server answered with an RFC 9457 problem document or a Matrix error. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    /** The last part of the problem's type, such as `insufficient-funds`, or the Matrix errcode. */
    readonly slug: string,
    readonly detail: string,
  ) {
    super(`${status} ${slug}: ${detail}`);
    this.name = 'Refused';
  }
}

/** No answer, or an answer of a proxy or server that is not able to work now. Worth trying again later. */
export class Unreachable extends Error {
  constructor(cause?: unknown) {
    super('The server cannot be reached', { cause });
    this.name = 'Unreachable';
  }
}

/** A status that says "later", not "no". */
export function isPassing(status: number): boolean {
  return status === 408 || status === 429 || status >= 500;
}

/** Reads the error body of an answer that was not OK. */
export function refusalOf(status: number, body: unknown): Refused {
  const fields = typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
  const text = (key: string) => (typeof fields[key] === 'string' ? (fields[key] as string) : '');
  const slug = text('type').split('/').pop() || text('errcode') || `status-${status}`;
  return new Refused(status, slug, text('detail') || text('title') || text('error'));
}
