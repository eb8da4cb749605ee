/**
 * The data centres as this page knows them: which one is asked now, who is found silent, and the way back home.
 * The choice itself is made in `sites.ts`; here are the questions, the timers, and what is kept.
 */
import { keepShellFor } from './shell';
import { readSites, Sites, type Known } from './sites';

const STORAGE_KEY = 'haechi.sites';
/** What is asked to see whether a site is there; its answer is the list of all sites. */
const PROBE_PATH = '/.well-known/haechi/sites';
/** A site that does not answer a probe within this time is silent. */
const PROBE_PATIENCE_MS = 1_500;
/** How long a request may be without an answer before its site is probed. Together: a silent site costs 2.5 s. */
const PROBE_AFTER_MS = 1_000;
/** The same for a long poll, which is quiet by its nature: seldom enough to cost the sites little. */
const PROBE_LONG_POLL_AFTER_MS = 5_000;
/** Between two looks at a site, at the least. */
const LOOK_PAUSE_MS_MIN = 100;
/** Between two looks at home while another site stands in; longer and longer while home is silent. */
const HOME_PAUSE_MS = 4_000;
const HOME_PAUSE_MS_MAX = 60_000;
/** How often a visible page looks whether its list is stale. */
const LIST_PAUSE_MS = 20_000;
/** Without a further refusal, writes are taken to work again after this time. */
const WRITES_WAIT_MS = 15_000;

/** Watches the site of one request: `signal` aborts when the site is found silent. */
export interface Watch {
  signal: AbortSignal;
  done(): void;
}

class Changeover {
  readonly own = globalThis.location?.origin ?? 'http://localhost';
  /** The title of the site that stands in for home, while home does not answer. */
  detour = $state<string | null>(null);
  /** Reads work, and no site takes a write now. */
  writesWait = $state(false);
  #sites = new Sites(this.own, remembered(this.own));
  #probes = new Map<string, Promise<boolean>>();
  #silences = new Map<string, AbortController>();
  #heardAtMs = new Map<string, number>();
  #homeTimer: ReturnType<typeof setTimeout> | undefined;
  #homePauseMs = HOME_PAUSE_MS;
  #writesTimer: ReturnType<typeof setTimeout> | undefined;
  #turn = 0;

  /** Learns the list of sites, keeps it fresh, and looks after home. */
  start(): void {
    const refresh = () => {
      if (!document.hidden && this.#sites.isStale(Date.now())) void this.check(this.first());
    };
    refresh();
    setInterval(refresh, LIST_PAUSE_MS);
    document.addEventListener('visibilitychange', refresh);
    this.#tell();
  }

  /** Whether there is a second place to ask. */
  get several(): boolean {
    return this.#sites.several;
  }

  /** Where a request goes first. */
  first(): string {
    return this.#sites.first();
  }

  next(tried: ReadonlySet<string>): string | undefined {
    return this.#sites.next(tried);
  }

  /** While no site takes writes, each further try asks one of them, in turn. */
  inTurn(): string {
    const origins = this.#sites.origins();
    return origins[this.#turn++ % origins.length] ?? this.own;
  }

  /** Something came from `origin`, or goes there and makes progress. */
  heard(origin: string): void {
    this.#heardAtMs.set(origin, performance.now());
  }

  /** `origin` answered a request that the sites in `instead` could not serve. */
  answered(origin: string, instead: readonly string[] = []): void {
    for (const each of instead) this.#sites.failed(each);
    this.heard(origin);
    this.#sites.answered(origin);
    this.#settle();
  }

  /** `origin` does not answer: whatever waits for it goes elsewhere. */
  failed(origin: string): void {
    this.#sites.failed(origin);
    this.#silences.get(origin)?.abort(new Error('the site is silent'));
    this.#silences.delete(origin);
  }

  writesRefused(): void {
    this.writesWait = true;
    clearTimeout(this.#writesTimer);
    this.#writesTimer = setTimeout(() => this.writesTaken(), WRITES_WAIT_MS);
  }

  writesTaken(): void {
    clearTimeout(this.#writesTimer);
    this.writesWait = false;
  }

  /** Asks `origin` a small question; returns whether it answers. One at a time. */
  check(origin: string): Promise<boolean> {
    let running = this.#probes.get(origin);
    if (!running) {
      running = this.#probe(origin).finally(() => this.#probes.delete(origin));
      this.#probes.set(origin, running);
    }
    return running;
  }

  /** Looks for any site that answers: the best, then all the others. */
  async findAny(): Promise<boolean> {
    const [best = this.own, ...others] = this.#sites.origins();
    if (await this.check(best)) return true;
    return (await Promise.all(others.map((origin) => this.check(origin)))).includes(true);
  }

  /** Watches the site of a request for silence. With one site only there is nowhere else to go. */
  watch(origin: string, isLongPoll: boolean): Watch {
    if (!this.several) return { signal: new AbortController().signal, done: () => undefined };
    let silence = this.#silences.get(origin);
    if (!silence) this.#silences.set(origin, (silence = new AbortController()));
    const afterMs = isLongPoll ? PROBE_LONG_POLL_AFTER_MS : PROBE_AFTER_MS;
    let timer: ReturnType<typeof setTimeout>;
    let isDone = false;
    const look = async () => {
      if (isLongPoll && globalThis.document?.hidden) return lookIn(afterMs);
      if (this.#quietMs(origin) >= afterMs) await this.check(origin);
      // To the moment: a look just before it is due would be one that comes a whole round late.
      lookIn(Math.max(afterMs - this.#quietMs(origin), LOOK_PAUSE_MS_MIN));
    };
    const lookIn = (pauseMs: number) => {
      if (!silence.signal.aborted && !isDone) timer = setTimeout(() => void look(), pauseMs);
    };
    lookIn(afterMs);
    const done = () => {
      isDone = true;
      clearTimeout(timer);
    };
    return { signal: silence.signal, done };
  }

  /** How long nothing was heard from `origin`. */
  #quietMs(origin: string): number {
    return performance.now() - (this.#heardAtMs.get(origin) ?? -Infinity);
  }

  async #probe(origin: string): Promise<boolean> {
    try {
      const signal = AbortSignal.timeout(PROBE_PATIENCE_MS);
      const answer = await fetch(new Request(origin + PROBE_PATH, { cache: 'no-store', signal }));
      if (answer.status >= 502 && answer.status <= 504) throw new Error(`status ${answer.status}`);
      // A server without a list of sites is one site.
      const sites = readSites(await answer.json().catch(() => null), this.own);
      this.answered(origin);
      if (sites) {
        this.#sites.learn(sites, Date.now());
        void keepShellFor(sites);
      }
      this.#tell();
      return true;
    } catch {
      this.failed(origin);
      return false;
    }
  }

  #settle(): void {
    if (this.#sites.settle()) this.#tell();
  }

  /** Keeps what is known now, shows it, and sees to the way back. */
  #tell(): void {
    this.detour = this.#sites.onDetour ? this.#title() : null;
    globalThis.localStorage?.setItem(STORAGE_KEY, JSON.stringify(this.#sites.known));
    if (this.#homeTimer || !this.#sites.awaited()) return;
    this.#homePauseMs = HOME_PAUSE_MS;
    this.#lookHomeLater();
  }

  #title(): string {
    return this.#sites.at(this.#sites.current)?.title ?? new URL(this.#sites.current).host;
  }

  /** All clients of a burnt site look for it: each at its own moments, and more and more seldom. */
  #lookHomeLater(): void {
    const jitter = 0.75 + Math.random() / 2;
    this.#homeTimer = setTimeout(() => void this.#lookHome(), this.#homePauseMs * jitter);
  }

  async #lookHome(): Promise<void> {
    const home = this.#sites.awaited();
    if (home) {
      const isThere = await this.check(home);
      this.#homePauseMs = isThere ? HOME_PAUSE_MS : Math.min(this.#homePauseMs * 1.5, HOME_PAUSE_MS_MAX);
    }
    this.#homeTimer = undefined;
    if (this.#sites.awaited()) this.#lookHomeLater();
  }
}

function remembered(own: string): Known {
  const fresh = { sites: [], learnedAtMs: 0, current: own, seed: Math.floor(Math.random() * 2 ** 31) };
  try {
    const kept = JSON.parse(globalThis.localStorage?.getItem(STORAGE_KEY) ?? 'null') as Known | null;
    return Array.isArray(kept?.sites) ? { ...fresh, ...kept } : fresh;
  } catch {
    return fresh;
  }
}

export const changeover = new Changeover();
