/** Files of secret chats: sealed before they go up, opened after they came down (Matrix's encrypted attachments, v2). */
import type { FileKey } from '../message';

const ALGORITHM = 'AES-CTR';
/** Half of the counter block is the counter; the other half, the nonce, is drawn anew for each file. */
const COUNTER_BITS = 64;
const NONCE_BYTES = 8;

export async function sealFile(file: Blob): Promise<{ file: Blob; key: FileKey }> {
  const key = await crypto.subtle.generateKey({ name: ALGORITHM, length: 256 }, true, ['encrypt', 'decrypt']);
  const counter = new Uint8Array(16);
  crypto.getRandomValues(counter.subarray(0, NONCE_BYTES));
  const sealed = await crypto.subtle.encrypt(
    { name: ALGORITHM, counter, length: COUNTER_BITS },
    key,
    await file.arrayBuffer(),
  );
  const hash = await crypto.subtle.digest('SHA-256', sealed);
  const { k } = await crypto.subtle.exportKey('jwk', key);
  return {
    file: new Blob([sealed], { type: 'application/octet-stream' }),
    key: { key: k ?? '', iv: toBase64(counter), hash: toBase64(new Uint8Array(hash)) },
  };
}

/** Opens a sealed file. Fails when it is not the one that was sent. */
export async function openFile(sealed: Blob, { key, iv, hash }: FileKey, type: string): Promise<Blob> {
  const bytes = await sealed.arrayBuffer();
  const found = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  if (toBase64(found) !== hash.replace(/=+$/, '')) throw new Error('the file was changed on its way');
  const jwk = { kty: 'oct', alg: 'A256CTR', ext: true, key_ops: ['encrypt', 'decrypt'], k: key };
  const opened = await crypto.subtle.decrypt(
    { name: ALGORITHM, counter: fromBase64(iv), length: COUNTER_BITS },
    await crypto.subtle.importKey('jwk', jwk, ALGORITHM, false, ['decrypt']),
    bytes,
  );
  return new Blob([opened], { type: isShowable(type) ? type : 'application/octet-stream' });
}

/** Only pictures and recordings keep their kind: a sealed page must not become one of ours when it is opened. */
function isShowable(type: string): boolean {
  return /^(image\/(?!svg)|video\/|audio\/)/.test(type);
}

function toBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes)).replace(/=+$/, '');
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text.replace(/-/g, '+').replace(/_/g, '/'));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}
