import { curlLine, exampleFile, wgetLine } from '../recipes';
import type { IPackagerClient } from '../tokens';
import { page } from './helpers';

const SHARE = 'http://127.0.0.1:8888/a%40b/packager/s/Kx3a~hV8';

describe('lines for a terminal', () => {
  it('fetch every file into its folder', () => {
    expect(wgetLine(SHARE, 'team/ocean')).toBe(
      `wget -nv -O ocean.urls ${SHARE}/urls.txt && ` +
        'wget -c -x -nH --cut-dirs=5 -P ocean -i ocean.urls'
    );
  });

  it('fetch one file, whatever its name does to a shell', () => {
    expect(curlLine(`${SHARE}/`, "obs/it's 50% $(x)!.csv")).toBe(
      `curl -fLO ${SHARE}/files/obs/it%27s%2050%25%20%24%28x%29%21.csv`
    );
  });

  it('take a file that is there', async () => {
    const asked: string[] = [];
    const file = (path: string, isFolder: boolean) => ({
      path,
      name: path,
      is_folder: isFolder,
      size_bytes: 1,
      modified_s: null,
      source: null,
      key: null
    });
    const client: Partial<IPackagerClient> = {
      files: (_name, _version, path) => {
        asked.push(path);
        return Promise.resolve(
          page([path ? file('obs/a.csv', false) : file('obs', true)])
        );
      }
    };
    const found = await exampleFile(client as IPackagerClient, 'ocean', '1');
    expect(found).toBe('obs/a.csv');
    expect(asked).toEqual(['', 'obs']);
  });
});
