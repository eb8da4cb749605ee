/**
 * Which data centre a request goes to. Pure: no network and no clock, so that every rule is tested.
 *
 * The site this page came from is the nearest, and the first choice while it answers. After it come the active
 * sites, the one that answered last before the others, and sites that are being drained. A site that failed is
 * asked last, until it answers again.
 */

export interface Site {
  name: string;
  /** The name for reading, as the operator wrote it. */
  title: string;
  /** Scheme, host and port. */
  origin: string;
  state: 'active' | 'draining';
}

/** What is kept from visit to visit. */
export interface Known {
  sites: Site[];
  /** When the list came, milliseconds UTC; 0 for never. */
  learnedAtMs: number;
  /** The origin of the last visit's requests. */
  current: string;
  /** Spreads the clients of a site that burns over all the others, each device in its own order. */
  seed: number;
}

/** Good answers in a row until a nearer site that had failed is trusted again. */
export const GOOD_BEFORE_RETURN = 3;
/** A list is asked for again after this time. */
export const STALE_AFTER_MS = 60_000;
/** More sites than this are not listened to. */
const SITES_MAX = 32;

interface Health {
  /** Counts up with each answer, so that the site that answered last is known without a clock. */
  goodAt: number;
  failed: boolean;
  goodInRow: number;
}

export class Sites {
  #health = new Map<string, Health>();
  #answers = 0;

  constructor(
    /** The origin of this page. */
    readonly own: string,
    public known: Known,
  ) {
    if (!this.origins().includes(known.current)) known.current = own;
    // The last visit left home because home did not answer: it has to earn its way back.
    if (known.current !== own) this.#of(own).failed = true;
  }

  get current(): string {
    return this.known.current;
  }

  /** The site at `origin`; none for an address that the operator did not list. */
  at(origin: string): Site | undefined {
    return this.known.sites.find((site) => site.origin === origin);
  }

  /** Whether there is a second place to go to. */
  get several(): boolean {
    return this.origins().length > 1;
  }

  /** Home failed, and requests take another way. */
  get onDetour(): boolean {
    return this.current !== this.own && this.#of(this.own).failed;
  }

  /** All origins, the best first. */
  origins(): string[] {
    const all = [...new Set([this.own, ...this.known.sites.map((site) => site.origin)])];
    const rank = (origin: string) =>
      (this.#of(origin).failed ? 4 : 0) + (this.#drains(origin) ? 2 : 0) + (origin === this.own ? 0 : 1);
    return all.sort(
      (a, b) =>
        rank(a) - rank(b) ||
        this.#of(b).goodAt - this.#of(a).goodAt ||
        spread(a, this.known.seed) - spread(b, this.known.seed),
    );
  }

  /** Where to go when the origins in `tried` did not help. */
  next(tried: ReadonlySet<string>): string | undefined {
    return this.origins().find((origin) => !tried.has(origin));
  }

  /** Home, while it is missed: worth a small question now and then. */
  awaited(): string | undefined {
    const isMissed = this.current !== this.own && !this.#of(this.current).failed && !this.#drains(this.own);
    return isMissed ? this.own : undefined;
  }

  /** Where a request goes first. */
  first(): string {
    return this.#of(this.current).failed ? (this.origins()[0] ?? this.own) : this.current;
  }

  /** The site at `origin` answered. While another one serves, home has to do so several times to be trusted. */
  answered(origin: string): void {
    const health = this.#of(origin);
    health.goodAt = ++this.#answers;
    health.goodInRow += 1;
    if (origin === this.awaited() && health.failed && health.goodInRow < GOOD_BEFORE_RETURN) return;
    health.failed = false;
  }

  failed(origin: string): void {
    Object.assign(this.#of(origin), { failed: true, goodInRow: 0 });
  }

  /** Stays, or goes to where one would rather be; asked after an answer. Returns whether it moved. */
  settle(): boolean {
    const best = this.origins()[0] ?? this.own;
    const leaves = this.#of(this.current).failed || this.#drains(this.current) || best === this.own;
    if (!leaves || best === this.current || this.#of(best).failed) return false;
    this.known.current = best;
    return true;
  }

  /** Takes a fresh list. A site that is no longer in it is left. */
  learn(sites: Site[], nowMs: number): void {
    this.known.sites = sites;
    this.known.learnedAtMs = nowMs;
    if (!this.origins().includes(this.current)) this.known.current = this.own;
    this.settle();
  }

  isStale(nowMs: number): boolean {
    return nowMs - this.known.learnedAtMs >= STALE_AFTER_MS || nowMs < this.known.learnedAtMs;
  }

  #drains(origin: string): boolean {
    return this.at(origin)?.state === 'draining';
  }

  #of(origin: string): Health {
    let health = this.#health.get(origin);
    if (!health) this.#health.set(origin, (health = { goodAt: 0, failed: false, goodInRow: 0 }));
    return health;
  }
}

/** Reads `/.well-known/haechi/sites`; what cannot be a site is left out. `null` when it is no such list. */
export function readSites(body: unknown, own: string): Site[] | null {
  const listed = (body as { sites?: unknown } | null)?.sites;
  if (!Array.isArray(listed)) return null;
  const sites: Site[] = [];
  for (const each of listed.slice(0, SITES_MAX) as unknown[]) {
    const { name, title, url, state } = Object(each) as Record<string, unknown>;
    const origin = originOf(url);
    if (typeof name !== 'string' || !origin || (state !== 'active' && state !== 'draining')) continue;
    // A page that came by TLS hands its tokens to nobody in the clear.
    if (own.startsWith('https:') && !origin.startsWith('https:')) continue;
    sites.push({ name, title: typeof title === 'string' && title ? title : name, origin, state });
  }
  return sites;
}

function originOf(url: unknown): string | null {
  try {
    const { origin, protocol } = new URL(String(url));
    return protocol === 'https:' || protocol === 'http:' ? origin : null;
  } catch {
    return null;
  }
}

/** A number that is the same for a device and an origin, and differs from device to device (FNV-1a, then mixed). */
function spread(origin: string, seed: number): number {
  let hash = 2_166_136_261;
  for (let at = 0; at < origin.length; at += 1) {
    hash = Math.imul(hash ^ origin.charCodeAt(at), 16_777_619);
  }
  // The finalizer of MurmurHash3: names that differ in one letter must not stand in one order everywhere.
  hash ^= seed;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Whether asking twice is the same as asking once, so that another site may be asked at once. */
export function isRepeatable(method: string, path: string, headers: Headers): boolean {
  if (method === 'GET' || method === 'HEAD' || method === 'PUT') return true;
  return method === 'POST' && (headers.has('Idempotency-Key') || path === '/api/identity/sessions/refresh');
}

/** Whether an answer to this request proves that writes are taken: it carries a key, so it is kept. */
export function isKeyedWrite(method: string, path: string, headers: Headers): boolean {
  return headers.has('Idempotency-Key') || (method === 'PUT' && /\/rooms\/[^/]+\/send\//.test(path));
}
