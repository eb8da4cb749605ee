/** Puts a file on the server. XMLHttpRequest, because fetch cannot yet say how far an upload is. */
import { isPassing, refusalOf, Unreachable } from '../api/problems';
import { changeover } from '../net/changeover.svelte';
import { reachability } from '../net/reachability.svelte';
import { session } from '../session/session.svelte';

/** Uploads `file` and returns its `mxc://` address. */
export async function upload(file: Blob, name: string, progress: (share: number) => void): Promise<string> {
  const token = await session.accessToken();
  const site = changeover.writesWait ? changeover.inTurn() : changeover.first();
  const watch = changeover.watch(site, false);
  return new Promise<string>((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', `${site}/_matrix/media/v3/upload?filename=${encodeURIComponent(name)}`);
    request.setRequestHeader('Authorization', `Bearer ${token}`);
    request.setRequestHeader('Content-Type', file.type || 'application/octet-stream');
    request.responseType = 'json';
    watch.signal.addEventListener('abort', () => request.abort());
    request.upload.onprogress = (event) => {
      changeover.heard(site);
      if (event.lengthComputable) progress(event.loaded / event.total);
    };
    request.onload = () => {
      const { status, response } = request as { status: number; response: { content_uri?: string } | null };
      if (status === 200 && response?.content_uri) resolve(response.content_uri);
      else if (status === 503) {
        changeover.writesRefused();
        reject(new Unreachable('status 503'));
      }
      // A token that ended in this moment is renewed by the next try.
      else if (isPassing(status) || status === 401) reject(new Unreachable(`status ${status}`));
      else reject(refusalOf(status, response));
    };
    request.onabort = () => reject(new Unreachable('the site fell silent'));
    request.onerror = () => {
      // The outbox tries again: at the next site, when this one is down.
      if (changeover.several) void changeover.check(site);
      else reachability.lost();
      reject(new Unreachable('upload broke off'));
    };
    request.send(file);
  }).finally(() => watch.done());
}
