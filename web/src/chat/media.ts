/** Photos and files: fetched with the person's token and kept as object URLs while the page lives. */
import { Refused, Unreachable } from '../api/problems';
import { reachSignedIn } from '../net/fetch';
import { outbox } from '../outbox/outbox.svelte';

const KEPT = 60;
const kept = new Map<string, Promise<string>>();

/** An object URL for an `mxc://` or `outbox:` address. Fails when it cannot be loaded now. */
export function mediaUrl(address: string): Promise<string> {
  const known = kept.get(address);
  if (known) {
    // Last used moves to the end, so that what is on screen is not thrown out.
    kept.delete(address);
    kept.set(address, known);
    return known;
  }
  const loading = load(address).then((blob) => URL.createObjectURL(blob));
  loading.catch(() => kept.delete(address));
  kept.set(address, loading);
  dropOldest();
  return loading;
}

/** Forgets everything, at sign-out. */
export function forgetMedia(): void {
  for (const address of [...kept.keys()]) drop(address);
}

/** The size of a picture file, for a frame that does not jump; nothing for files that are no picture. */
export async function pictureSize(file: Blob): Promise<{ width?: number; height?: number }> {
  if (!file.type.startsWith('image/')) return {};
  try {
    const bitmap = await createImageBitmap(file);
    const { width, height } = bitmap;
    bitmap.close();
    return { width, height };
  } catch {
    return {};
  }
}

async function load(address: string): Promise<Blob> {
  if (address.startsWith('outbox:')) {
    const entry = outbox.find(address.slice('outbox:'.length));
    if (entry?.kind === 'file') return entry.file;
    throw new Unreachable('no longer in the outbox');
  }
  const [server = '', id = ''] = address.slice('mxc://'.length).split('/');
  const path = `/_matrix/client/v1/media/download/${encodeURIComponent(server)}/${encodeURIComponent(id)}`;
  try {
    return await fetchMedia(path);
  } catch (error) {
    // The site died with the file half way: the next one has it too.
    if (error instanceof Refused || error instanceof Unreachable) throw error;
    return fetchMedia(path);
  }
}

async function fetchMedia(path: string): Promise<Blob> {
  const response = await reachSignedIn(path);
  if (!response.ok) throw new Refused(response.status, 'media', 'The file cannot be loaded');
  return response.blob();
}

function dropOldest(): void {
  while (kept.size > KEPT) drop(kept.keys().next().value!);
}

function drop(address: string): void {
  kept
    .get(address)
    ?.then((url) => URL.revokeObjectURL(url))
    .catch(() => undefined);
  kept.delete(address);
}
