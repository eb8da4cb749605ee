/** What the console shows, asked again every moment while it is seen. */
import { Refused } from '../api/problems';
import type { Drill, Incident, LiveSites } from '../api/types';
import { lastDrill, lastIncidents, liveSites } from './api';

const PAUSE_MS = 1_500;
/** A node may remember for half a minute that somebody was no member of staff. */
const REFUSED_PAUSE_MS = 5_000;
/** The last drill changes seldom: it is asked for once in so many rounds. */
const DRILL_EVERY = 20;
/** As do incidents; but who looks at one wants to see it end. */
const INCIDENTS_EVERY = 2;
/** Figures older than this are shown as what they were. */
const STALE_AFTER_MS = 6_000;

export class Console {
  live = $state.raw<LiveSites | undefined>();
  drill = $state.raw<Drill | null | undefined>();
  incidents = $state.raw<Incident[] | undefined>();
  /** The server says that this person is no member of staff. */
  refused = $state(false);
  /** When the figures came, microseconds UTC. */
  asOf = $state(0);
  isStale = $state(false);
  #timer: ReturnType<typeof setTimeout> | undefined;
  #round = 0;
  #isRunning = false;

  /** Asks until the returned function is called. */
  start(): () => void {
    const seen = () => {
      if (!document.hidden) void this.refresh();
    };
    document.addEventListener('visibilitychange', seen);
    this.#isRunning = true;
    void this.refresh();
    return () => {
      this.#isRunning = false;
      clearTimeout(this.#timer);
      document.removeEventListener('visibilitychange', seen);
    };
  }

  async refresh(): Promise<void> {
    clearTimeout(this.#timer);
    try {
      this.live = await liveSites();
      this.asOf = Date.now() * 1000;
      if (this.#round % DRILL_EVERY === 0) this.drill = await lastDrill();
      if (this.#round % INCIDENTS_EVERY === 0) this.incidents = await lastIncidents();
      this.#round++;
      this.refused = false;
    } catch (error) {
      if (error instanceof Refused && error.status === 403) this.refused = true;
    }
    this.isStale = this.asOf > 0 && Date.now() - this.asOf / 1000 > STALE_AFTER_MS;
    clearTimeout(this.#timer);
    if (this.#isRunning && !document.hidden)
      this.#timer = setTimeout(() => void this.refresh(), this.refused ? REFUSED_PAUSE_MS : PAUSE_MS);
  }
}
