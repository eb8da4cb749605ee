/**
 * The page that the service worker keeps carries the policy it came with, and the policy names the sites that may
 * be called. When the list of sites changes, the kept page is fetched anew, so that its next start can reach all.
 */
import type { Site } from './sites';

const STORAGE_KEY = 'haechi.shell';
const PAGE = '/index.html';

let running = false;

/** Fetches the kept page anew unless it was fetched for exactly these sites. Tried again at the next list. */
export async function keepShellFor(sites: readonly Site[]): Promise<void> {
  const origins = sites
    .map((site) => site.origin)
    .sort()
    .join(' ');
  if (running || !globalThis.caches || localStorage.getItem(STORAGE_KEY) === origins) return;
  running = true;
  try {
    for (const name of await caches.keys()) {
      const cache = await caches.open(name);
      for (const kept of await cache.keys()) {
        if (new URL(kept.url).pathname !== PAGE) continue;
        const fresh = await fetch(PAGE, { cache: 'reload' });
        if (!fresh.ok) return;
        await cache.put(kept, fresh);
        localStorage.setItem(STORAGE_KEY, origins);
      }
    }
  } catch {
    // Home is away, or the browser keeps nothing.
  } finally {
    running = false;
  }
}
