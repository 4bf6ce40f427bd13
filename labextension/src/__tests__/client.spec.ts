import { PackagerClient } from '../api/client';
import { PackagerError } from '../api/errors';
import { fakeServer } from './helpers';

const API = 'http://127.0.0.1:8888/a%40b/packager/api/v1/';

async function failure(promise: Promise<unknown>): Promise<PackagerError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof PackagerError) {
      return error;
    }
    throw error;
  }
  throw new Error('It did not fail.');
}

describe('the client', () => {
  it('asks below the base address, with the token of Jupyter', async () => {
    const { settings, seen } = fakeServer(() => ({
      body: '{"items": [], "cursor": null}'
    }));
    await new PackagerClient({ serverSettings: settings }).sources();
    expect(seen).toHaveLength(1);
    expect(seen[0]?.url).toBe(`${API}sources`);
    expect(seen[0]?.headers.authorization).toBe('token sesame');
  });

  it.each([
    'https://data.example.org/packager/api/v1/',
    'http://127.0.0.1:8889/a%40b/packager/api/v1/',
    'http://127.0.0.1:8888/a%40bc/packager/api/v1'
  ])('gives %s no credentials', async apiUrl => {
    const { settings, seen } = fakeServer(() => ({
      body: '{"items": [], "cursor": null}'
    }));
    await new PackagerClient({ serverSettings: settings, apiUrl }).sources();
    expect(seen).toHaveLength(1);
    expect(seen[0]?.url.startsWith(apiUrl)).toBe(true);
    expect(seen[0]?.headers).not.toHaveProperty('authorization');
    expect(seen[0]?.headers).not.toHaveProperty('x-xsrftoken');
    expect(seen[0]?.credentials).toBe('omit');
  });

  it('keeps keys out of paths and sends them as they are', async () => {
    const { settings, seen } = fakeServer(() => ({
      body: '{"items": [], "cursor": null}'
    }));
    const prefix = 'a/../b #%&+\n/ü/';
    await new PackagerClient({ serverSettings: settings }).entries(
      'lake',
      prefix,
      null
    );
    const url = new URL(seen[0]?.url ?? '');
    expect(url.pathname).toBe('/a%40b/packager/api/v1/sources/lake/entries');
    expect(url.searchParams.get('prefix')).toBe(prefix);
    expect(url.searchParams.has('cursor')).toBe(false);
  });

  it('sends the slash of a namespace as part of the name', async () => {
    const { settings, seen } = fakeServer(() => ({ body: '{}' }));
    await new PackagerClient({ serverSettings: settings }).package(
      'team/ocean'
    );
    expect(seen[0]?.url).toBe(`${API}packages/team%2Focean`);
  });

  it('does not climb out of the API', async () => {
    const { settings, seen } = fakeServer(() => ({ body: '{}' }));
    const client = new PackagerClient({ serverSettings: settings });
    expect((await failure(client.removeSource('..'))).code).toBe('bad_input');
    expect(seen).toHaveLength(0);
  });

  it('reads lists to their end', async () => {
    const { settings, seen } = fakeServer(({ url }) => ({
      body: url.endsWith('cursor=2')
        ? '{"items": [{"name": "b"}], "cursor": null}'
        : '{"items": [{"name": "a"}], "cursor": "2"}'
    }));
    const sources = await new PackagerClient({
      serverSettings: settings
    }).sources();
    expect(sources.map(({ name }) => name)).toEqual(['a', 'b']);
    expect(seen).toHaveLength(2);
  });

  it('hands on the error shape of the server', async () => {
    const { settings } = fakeServer(() => ({
      status: 502,
      body: JSON.stringify({
        code: 'storage_access_denied',
        message: 'Bucket "lake" answered 403.',
        remedy: 'Check the policy.',
        details: 'AccessDenied'
      })
    }));
    const error = await failure(
      new PackagerClient({ serverSettings: settings }).entries('lake', '', null)
    );
    expect(error).toMatchObject({
      code: 'storage_access_denied',
      message: 'Bucket "lake" answered 403.',
      remedy: 'Check the policy.',
      details: 'AccessDenied',
      status: 502
    });
  });

  it('knows when the server half is missing', async () => {
    const { settings } = fakeServer(() => ({
      status: 404,
      body: '<html>Not found</html>',
      type: 'text/html'
    }));
    const error = await failure(
      new PackagerClient({ serverSettings: settings }).status()
    );
    expect(error.code).toBe('server_missing');
  });

  it.each([
    [403, '{"message": "Forbidden", "reason": null}', 'not_signed_in'],
    [502, '<html>Bad gateway</html>', 'answer_not_understood'],
    [200, '<html>Sign in</html>', 'answer_not_understood']
  ])('says in words what %d %s means', async (status, body, code) => {
    const { settings } = fakeServer(() => ({ status, body }));
    const error = await failure(
      new PackagerClient({ serverSettings: settings }).status()
    );
    expect(error.code).toBe(code);
    expect(error.remedy).not.toBe('');
  });

  it('says in words that nothing answered', async () => {
    const { settings } = fakeServer(() => {
      throw new TypeError('Failed to fetch');
    });
    const error = await failure(
      new PackagerClient({ serverSettings: settings }).status()
    );
    expect(error.code).toBe('server_unreachable');
  });

  it('reports a request that was called off as that', async () => {
    const controller = new AbortController();
    const { settings } = fakeServer(() => {
      controller.abort();
      throw new TypeError('aborted');
    });
    const client = new PackagerClient({ serverSettings: settings });
    await expect(
      client.entries('lake', '', null, controller.signal)
    ).rejects.toMatchObject({ name: 'AbortError' });
  });
});
