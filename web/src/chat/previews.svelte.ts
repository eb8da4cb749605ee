/** Previews of links: asked of the server once a visit, when the person wants them on this device. */
import { ask } from './matrix';
import { record, text } from './values';

const STORAGE_KEY = 'haechi.previews';
const KEPT = 200;

export interface Preview {
  title: string;
  text: string;
  site: string;
  /** `mxc://` address of a picture. */
  image: string;
}

class Previews {
  on = $state(globalThis.localStorage?.getItem(STORAGE_KEY) !== 'off');

  turn(on: boolean): void {
    this.on = on;
    localStorage.setItem(STORAGE_KEY, on ? 'on' : 'off');
  }
}

export const previews = new Previews();

const known = new Map<string, Promise<Preview | null>>();

/** Nothing for a page that says nothing about itself, or that the server may not or cannot fetch. */
export function previewOf(url: string): Promise<Preview | null> {
  let wanted = known.get(url);
  if (!wanted) {
    if (known.size >= KEPT) known.delete(known.keys().next().value!);
    wanted = fetchPreview(url).catch(() => null);
    known.set(url, wanted);
  }
  return wanted;
}

async function fetchPreview(url: string): Promise<Preview | null> {
  const path = `/_matrix/client/v1/media/preview_url?url=${encodeURIComponent(url)}`;
  return previewIn(await ask('GET', path), url);
}

/** Reads the server's answer (Open Graph names). */
export function previewIn(answer: unknown, url: string): Preview | null {
  const fields = record(answer);
  const title = text(fields['og:title']).trim();
  if (!title) return null;
  const image = text(fields['og:image']);
  return {
    title,
    text: text(fields['og:description']).trim(),
    site: text(fields['og:site_name']).trim() || new URL(url).host,
    image: image.startsWith('mxc://') ? image : '',
  };
}
