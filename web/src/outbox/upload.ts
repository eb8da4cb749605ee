/** Puts a file on the server. XMLHttpRequest, because fetch cannot yet say how far an upload is. */
import { isPassing, refusalOf, Unreachable } from '../api/problems';
import { reachability } from '../net/reachability.svelte';
import { session } from '../session/session.svelte';

/** Uploads `file` and returns its `mxc://` address. */
export async function upload(file: Blob, name: string, progress: (share: number) => void): Promise<string> {
  const token = await session.accessToken();
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', `/_matrix/media/v3/upload?filename=${encodeURIComponent(name)}`);
    request.setRequestHeader('Authorization', `Bearer ${token}`);
    request.setRequestHeader('Content-Type', file.type || 'application/octet-stream');
    request.responseType = 'json';
    request.upload.onprogress = (event) => {
      if (event.lengthComputable) progress(event.loaded / event.total);
    };
    request.onload = () => {
      const { status, response } = request as { status: number; response: { content_uri?: string } | null };
      if (status === 200 && response?.content_uri) resolve(response.content_uri);
      // A token that ended in this moment is renewed by the next try.
      else if (isPassing(status) || status === 401) reject(new Unreachable(`status ${status}`));
      else reject(refusalOf(status, response));
    };
    request.onerror = () => {
      reachability.lost();
      reject(new Unreachable('upload broke off'));
    };
    request.send(file);
  });
}
