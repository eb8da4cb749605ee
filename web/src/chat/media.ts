/** Photos and files: fetched with the person's token and kept as object URLs while the page lives. */
import { Refused, Unreachable } from '../api/problems';
import { reachSignedIn } from '../net/fetch';
import { outbox } from '../outbox/outbox.svelte';
import type { FileKey } from './message';
import { openFile } from './secret/attachment';

const DETAILS_PATIENCE_MS = 4_000;

/** Small pictures count like large ones; a long list of chats has many. */
const KEPT = 240;
const kept = new Map<string, Promise<string>>();

/** Where a picture, recording or file lies, and with what it was sealed. */
export interface Source {
  url: string;
  type?: string;
  key?: FileKey;
}

/** The largest size at which a picture is shown, in CSS pixels; what is fetched is twice that. */
export interface Frame {
  width: number;
  height: number;
  /** Cut to the frame rather than fitted into it. */
  crop?: boolean;
}

/** An object URL for an `mxc://` or `outbox:` address. Fails when it cannot be loaded now. */
export function mediaUrl(source: Source, frame?: Frame): Promise<string> {
  const address = frame ? `${source.url} ${frame.width}x${frame.height}` : source.url;
  const known = kept.get(address);
  if (known) {
    // Last used moves to the end, so that what is on screen is not thrown out.
    kept.delete(address);
    kept.set(address, known);
    return known;
  }
  const loading = load(source, frame).then((blob) => URL.createObjectURL(blob));
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

/** How long a recording is; nothing for files the browser cannot play. */
export async function videoDetails(
  file: Blob,
): Promise<{ width?: number; height?: number; durationMs?: number }> {
  const video = document.createElement('video');
  const url = URL.createObjectURL(file);
  try {
    await new Promise((resolve, reject) => {
      video.onloadedmetadata = resolve;
      video.onerror = reject;
      setTimeout(reject, DETAILS_PATIENCE_MS);
      video.preload = 'metadata';
      video.src = url;
    });
    const { videoWidth: width, videoHeight: height, duration } = video;
    return {
      width,
      height,
      ...(Number.isFinite(duration) ? { durationMs: Math.round(duration * 1000) } : {}),
    };
  } catch {
    return {};
  } finally {
    URL.revokeObjectURL(url);
  }
}

async function load(source: Source, frame: Frame | undefined): Promise<Blob> {
  const { url, key, type = '' } = source;
  if (url.startsWith('outbox:')) {
    const entry = outbox.find(url.slice('outbox:'.length));
    if (entry?.kind === 'file') return entry.file;
    throw new Unreachable('no longer in the outbox');
  }
  if (key) return openFile(await download(url), key, type);
  // A picture that moves is small enough, and would stand still.
  if (!frame || type === 'image/gif') return download(url);
  try {
    return await thumbnail(url, frame);
  } catch (error) {
    if (error instanceof Refused) return download(url);
    throw error;
  }
}

function pathTo(what: 'download' | 'thumbnail', url: string): string {
  const [server = '', id = ''] = url.slice('mxc://'.length).split('/');
  return `/_matrix/client/v1/media/${what}/${encodeURIComponent(server)}/${encodeURIComponent(id)}`;
}

function thumbnail(url: string, { width, height, crop }: Frame): Promise<Blob> {
  const method = crop ? 'crop' : 'scale';
  return fetchMedia(`${pathTo('thumbnail', url)}?width=${width * 2}&height=${height * 2}&method=${method}`);
}

async function download(url: string): Promise<Blob> {
  const path = pathTo('download', url);
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
