/** The lines that fetch what is shared, for a terminal. */

import type { IPackagerClient } from './tokens';

/** A path whose folders go deeper than this is not followed to find an example file. */
const MAX_DEPTH = 64;

/** Every file, in its folders; run again, it goes on where it stopped. */
export function wgetLine(shareUrl: string, packageName: string): string {
  const folder = packageName.split('/').pop() ?? packageName;
  const root = withSlash(shareUrl);
  const depth = new URL(root).pathname.split('/').filter(Boolean).length + 1;
  return (
    `wget -nv -O ${folder}.urls ${root}urls.txt && ` +
    `wget -c -x -nH --cut-dirs=${depth} -P ${folder} -i ${folder}.urls`
  );
}

/** One file. */
export function curlLine(shareUrl: string, path: string): string {
  const address = path.split('/').map(encodeSegment).join('/');
  return `curl -fLO ${withSlash(shareUrl)}files/${address}`;
}

/** The path of some file of a version, to show how one is fetched; null when there is none. */
export async function exampleFile(
  client: IPackagerClient,
  name: string,
  version: string
): Promise<string | null> {
  let folder = '';
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    const { items } = await client.files(name, version, folder, null);
    const file = items.find(item => !item.is_folder);
    if (file || items.length === 0) {
      return file?.path ?? null;
    }
    folder = items[0]?.path ?? '';
  }
  return null;
}

function withSlash(url: string): string {
  return url.endsWith('/') ? url : `${url}/`;
}

/** Percent-encoded so far that no shell sees anything special in it. */
function encodeSegment(segment: string): string {
  return encodeURIComponent(segment).replace(
    /[!'()*~]/g,
    char => `%${char.charCodeAt(0).toString(16).toUpperCase()}`
  );
}
