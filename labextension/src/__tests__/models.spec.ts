import { PackagerError } from '../api/errors';
import type { IEntry, IJob, IPackage, IPage, ISource } from '../api/types';
import { PackagerModel } from '../model/model';
import type { IPackagerClient } from '../tokens';
import { Later, entry, page, settle } from './helpers';

const SOURCES: ISource[] = ['lake', 'lake2'].map(name => ({
  name,
  kind: 's3',
  url: `s3://${name}`,
  options: {},
  credential: { kind: 'anonymous' },
  is_managed: false
}));

const DENIED = new PackagerError(
  {
    code: 'storage_access_denied',
    message: 'Bucket "lake" answered 403.',
    remedy: 'Check the policy.'
  },
  502
);

function packageNamed(name: string, hasDraft = true): IPackage {
  return {
    name,
    title: null,
    draft: hasDraft
      ? { files: 1, bytes: 2, is_changed: false, base_version: null }
      : null,
    latest: null,
    versions: 0
  };
}

function job(fields: Partial<IJob>): IJob {
  return {
    id: 'j1',
    kind: 'add',
    subject: 'ocean',
    state: 'running',
    files: 0,
    bytes: 0,
    started_s: Date.now() / 1000,
    ...fields
  };
}

/** A server that knows little; tests say what it answers beyond that. */
function server(answers: Partial<IPackagerClient> = {}): {
  model: PackagerModel;
  asked: string[];
} {
  const asked: string[] = [];
  const client: Partial<IPackagerClient> = {
    status: () =>
      Promise.resolve({
        version: '1.2.3',
        api: 1,
        host: 'jupyter',
        user: { name: 'me' },
        root_dir: '',
        audiences: []
      }),
    sources: () => Promise.resolve(SOURCES),
    packages: () => Promise.resolve([packageNamed('ocean')]),
    package: name =>
      Promise.resolve({
        ...packageNamed(name),
        metadata: {},
        folder: `packages/${name}`,
        attachments: [{ path: 'README.md', size_bytes: 1, media_type: null }]
      }),
    files: () => Promise.resolve(page([])),
    shares: () => Promise.resolve([]),
    feeds: () => Promise.resolve([]),
    tokens: () => Promise.resolve([]),
    jobs: () => Promise.resolve([]),
    entries: (name, prefix) => {
      asked.push(`${name}:${prefix}`);
      return Promise.resolve(page([entry(`${prefix}a/`), entry(`${prefix}b`)]));
    },
    ...answers
  };
  const model = new PackagerModel({
    client: client as IPackagerClient,
    version: '1.2.3'
  });
  return { model, asked };
}

describe('the server half', () => {
  it('is asked once, then everything is read', async () => {
    const { model } = server();
    expect(model.server.kind).toBe('checking');
    await model.start();
    expect(model.server.kind).toBe('ready');
    expect(model.isOutdated).toBe(false);
    expect(model.sources.sources).toHaveLength(2);
    expect(model.packages.packages).toHaveLength(1);
    model.dispose();
  });

  it('says the command that mends it when it is missing', async () => {
    const { model } = server({
      status: () =>
        Promise.reject(
          new PackagerError(
            { code: 'server_missing', message: 'Not there.', remedy: 'Run.' },
            404
          )
        )
    });
    await model.start();
    expect(model.server).toMatchObject({
      kind: 'broken',
      error: { code: 'server_missing' },
      command: expect.stringContaining(
        'jupyter server extension enable packager_jupyter'
      ) as string
    });
    expect(model.sources.sources).toHaveLength(0);
    model.dispose();
  });

  it('of another API is refused with the command that mends it', async () => {
    const { model } = server({
      status: () =>
        Promise.resolve({
          version: '9.0.0',
          api: 9,
          host: 'jupyter',
          user: { name: 'me' },
          root_dir: null,
          audiences: []
        })
    });
    await model.start();
    expect(model.server).toMatchObject({
      kind: 'broken',
      command: 'pip install --upgrade "packager_jupyter==1.2.3"'
    });
    model.dispose();
  });
});

describe('sources', () => {
  it('open with one request and show their state', async () => {
    const { model, asked } = server();
    await model.start();
    const { sources } = model;
    expect(sources.stateOf('lake')).toBe('unknown');
    sources.reveal('lake');
    await settle();
    expect(asked).toEqual(['lake:']);
    expect(sources.stateOf('lake')).toBe('ok');
    expect(sources.tree.rowCount).toBe(4);
    model.dispose();
  });

  it('that fail say so and leave the others alone', async () => {
    const { model } = server({
      entries: name =>
        name === 'lake'
          ? Promise.reject(DENIED)
          : Promise.resolve(page([entry('b')]))
    });
    await model.start();
    model.sources.reveal('lake');
    model.sources.reveal('lake2');
    await settle();
    expect(model.sources.stateOf('lake')).toBe('failed');
    expect(model.sources.stateOf('lake2')).toBe('ok');
    expect(model.sources.tree.failedRows).toEqual([1]);
    model.dispose();
  });

  it('do not take a late answer for a new one', async () => {
    const answers: Later<IPage<IEntry>>[] = [];
    const { model } = server({
      entries: () => {
        const later = new Later<IPage<IEntry>>();
        answers.push(later);
        return later.promise;
      }
    });
    await model.start();
    const { sources } = model;
    sources.reveal('lake');
    const again = sources.tree.root.opened(0)?.refresh();
    answers[1]?.resolve(page([entry('new')]));
    answers[0]?.resolve(page([entry('old')]));
    await again;
    await settle();
    expect(sources.tree.root.opened(0)?.items.map(({ name }) => name)).toEqual([
      'new'
    ]);
    model.dispose();
  });

  it.each([
    ['obs/2024', 'lake:obs/2024'],
    ['lake2:obs/', 'lake2:obs/'],
    ['s3://lake2/obs/x', 'lake2:obs/x'],
    ['s3://lake', 'lake:']
  ])('jump to %s', async (text, request) => {
    const { model, asked } = server();
    await model.start();
    await model.sources.go(text);
    await settle();
    expect(asked).toEqual([request]);
    model.dispose();
  });

  it('say when none holds an address', async () => {
    const { model } = server();
    await model.start();
    await expect(model.sources.go('s3://lake3/obs')).rejects.toMatchObject({
      code: 'no_source_holds',
      address: 's3://lake3/obs'
    });
    model.dispose();
  });

  it('keep a secret no longer than it takes to send it', async () => {
    const sent: unknown[] = [];
    const { model } = server({
      addSource: source => {
        sent.push(source);
        return Promise.resolve(SOURCES[0]);
      }
    });
    await model.start();
    await model.sources.add({
      name: 'lake',
      url: 's3://lake',
      options: {},
      credential: { kind: 'stored' },
      secret: { AWS_SECRET_ACCESS_KEY: 'hush-hush' }
    });
    expect(sent).toHaveLength(1);
    const seen = new Set<unknown>();
    const kept = JSON.stringify(model, (_key, value: unknown) => {
      if (typeof value === 'object' && value !== null) {
        if (seen.has(value)) {
          return undefined;
        }
        seen.add(value);
      }
      return value;
    });
    expect(kept).toContain('s3://lake');
    expect(kept).not.toContain('hush-hush');
    model.dispose();
  });
});

describe('packages', () => {
  it('show attachments before files', async () => {
    const { model } = server({
      files: () =>
        Promise.resolve(
          page([
            {
              path: 'obs',
              name: 'obs',
              is_folder: true,
              size_bytes: 1,
              modified_s: null,
              source: null,
              key: null
            }
          ])
        )
    });
    await model.start();
    model.packages.reveal('ocean');
    await settle();
    const items = model.packages.tree.root.opened(0)?.items ?? [];
    expect(items.map(({ id }) => id)).toEqual([
      'attachment:README.md',
      'file:obs'
    ]);
    model.dispose();
  });

  it('know which one is worked on', async () => {
    const names = ['argo', 'ocean'];
    const { model } = server({
      packages: () => Promise.resolve(names.map(name => packageNamed(name)))
    });
    await model.start();
    expect(model.packages.current).toBeNull();
    model.packages.setCurrent('argo');
    expect(model.packages.current?.name).toBe('argo');
    names.shift();
    await model.packages.refresh();
    // The only draft is the one that is meant.
    expect(model.packages.current?.name).toBe('ocean');
    model.dispose();
  });

  it('get what is ticked, one job a source', async () => {
    const asked: unknown[] = [];
    const { model } = server({
      addFiles: (...args) => {
        asked.push(args);
        return Promise.resolve(job({ id: `j${asked.length}` }));
      }
    });
    await model.start();
    const { tree } = model.sources;
    model.sources.reveal('lake2');
    model.sources.reveal('lake');
    await settle();
    tree.toggleSelected(1);
    tree.toggleSelected(5);
    await model.addSelectionTo('ocean');
    expect(asked).toEqual([
      ['ocean', 'lake', ['a/']],
      ['ocean', 'lake2', ['b']]
    ]);
    expect(tree.selection.isEmpty).toBe(true);
    model.dispose();
  });

  it('that refuse what is ticked say so, and the ticks stay', async () => {
    const { model } = server({ addFiles: () => Promise.reject(DENIED) });
    await model.start();
    model.sources.reveal('lake');
    await settle();
    model.sources.tree.toggleSelected(2);
    await model.addSelectionTo('ocean');
    expect(model.sources.tree.selection.summary.files).toBe(1);
    expect(model.sources.notices.all).toHaveLength(1);
    expect(model.sources.notices.all[0]?.error).toBe(DENIED);
    model.sources.notices.dismiss(model.sources.notices.all[0]?.id ?? 0);
    expect(model.sources.notices.all).toHaveLength(0);
    model.dispose();
  });
});

describe('work', () => {
  it('is followed to its end, then the packages are read again', async () => {
    let state: IJob['state'] = 'running';
    let reads = 0;
    const { model } = server({
      jobs: () => Promise.resolve([job({ state, files: 3 })]),
      packages: () => {
        reads += 1;
        return Promise.resolve([packageNamed('ocean')]);
      }
    });
    await model.start();
    expect(model.jobs.rows.map(row => row.job.state)).toEqual(['running']);
    expect(reads).toBe(1);
    state = 'done';
    await model.jobs.follow(job({ id: 'j1' }));
    await settle();
    expect(model.jobs.rows.map(row => row.job.state)).toEqual(['done']);
    expect(reads).toBe(2);
    model.jobs.dismiss('j1');
    expect(model.jobs.rows).toHaveLength(0);
    model.dispose();
  });

  it('that ends before it is seen running has ended all the same', async () => {
    let reads = 0;
    const done = job({ state: 'done' });
    const { model } = server({
      jobs: () => Promise.resolve([done]),
      addFiles: () => Promise.resolve(done),
      packages: () => {
        reads += 1;
        return Promise.resolve([packageNamed('ocean')]);
      }
    });
    await model.start();
    model.sources.reveal('lake');
    await settle();
    model.sources.tree.toggleSelected(2);
    await model.addSelectionTo('ocean');
    await settle();
    expect(reads).toBe(2);
    expect(model.jobs.rows.map(row => row.job.state)).toEqual(['done']);
    model.dispose();
  });

  it('that ended before the page was opened is not shown', async () => {
    const { model } = server({
      jobs: () => Promise.resolve([job({ state: 'done' })])
    });
    await model.start();
    expect(model.jobs.rows).toHaveLength(0);
    model.dispose();
  });
});
