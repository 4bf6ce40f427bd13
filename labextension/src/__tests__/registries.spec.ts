import type { IApiToken, IFeed } from '../api/types';
import { readToken } from '../dialogs/token';
import { RegistriesModel } from '../model/registries';
import type { IPackagerClient } from '../tokens';
import { nullTranslator } from '@jupyterlab/translation';

const FEED: IFeed = {
  ecosystem: 'pypi',
  name: 'main',
  is_anonymous_read: false,
  projects: 128,
  url: 'https://data.lab.test/pypi/main/',
  install:
    'pip install --index-url https://data.lab.test/pypi/main/simple/ NAME'
};

function token(fields: Partial<IApiToken>): IApiToken {
  return {
    id: 'a1',
    description: '',
    scopes: ['pypi/main:read'],
    created_s: 1,
    expires_s: 2,
    last_used_s: null,
    state: 'active',
    ...fields
  };
}

function modelOf(client: Partial<IPackagerClient>): RegistriesModel {
  return new RegistriesModel(
    client as IPackagerClient,
    nullTranslator.load('')
  );
}

describe('the registries', () => {
  it('are the feeds and the tokens that work', async () => {
    const model = modelOf({
      feeds: () => Promise.resolve([FEED]),
      tokens: () =>
        Promise.resolve([
          token({}),
          token({ id: 'b2', description: 'Build server' }),
          token({ id: 'c3', state: 'revoked' }),
          token({ id: 'd4', state: 'expired' })
        ])
    });
    await model.refresh();
    expect(model.tree.root.items.map(item => item.name)).toEqual([
      'pypi/main',
      'pypi/main:read',
      'Build server'
    ]);
    expect(model.feeds).toEqual([FEED]);
    model.dispose();
  });

  it('are not shown in part when one list cannot be read', async () => {
    const model = modelOf({
      feeds: () => Promise.resolve([FEED]),
      tokens: () => Promise.reject(new Error('away'))
    });
    await model.refresh();
    expect(model.tree.root.items).toEqual([]);
    expect(model.isEmpty).toBe(false);
    model.dispose();
  });

  it('keep no secret', async () => {
    const secret = 'pkgr_api_a1_secret';
    const model = modelOf({
      feeds: () => Promise.resolve([]),
      tokens: () => Promise.resolve([token({})]),
      createToken: () => Promise.resolve({ token: secret, info: token({}) })
    });
    const made = await model.create({
      scopes: ['pypi/main:read'],
      expires_in_s: 1,
      description: ''
    });
    expect(made.token).toBe(secret);
    expect(JSON.stringify(model.tree.root.items)).not.toContain(secret);
    model.dispose();
  });
});

describe('a new token', () => {
  const values = (fields: Record<string, string>): Map<string, string> =>
    new Map(
      Object.entries({
        feed: 'pypi/main',
        projects: '*',
        may: 'read',
        expires: '86400',
        description: ' build ',
        ...fields
      })
    );

  it.each([
    [{}, ['pypi/main:read']],
    [{ projects: 'demo-*' }, ['pypi/main/demo-*:read']],
    [{ may: 'publish delete' }, ['pypi/main:publish', 'pypi/main:delete']],
    [{ feed: 'oci' }, ['oci/*:read']],
    [{ feed: 'oci', projects: 'packages/*' }, ['oci/packages/*:read']]
  ])('of %j has the scopes %j', (fields, scopes) => {
    expect(readToken(values(fields))).toEqual({
      scopes,
      expires_in_s: 86400,
      description: 'build'
    });
  });
});
