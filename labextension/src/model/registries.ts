/** Registries: the feeds of this server, and the tokens with which programs come. */

import type { TranslationBundle } from '@jupyterlab/translation';

import type {
  IApiToken,
  ICreatedToken,
  IFeed,
  INewToken,
  IPage
} from '../api/types';
import type { IPackagerClient } from '../tokens';
import { SectionModel } from './section';

/** One feed in the list. */
export interface IFeedItem {
  readonly kind: 'feed';
  readonly id: string;
  readonly name: string;
  readonly feed: IFeed;
  readonly children: null;
}

/** One token in the list. */
export interface ITokenItem {
  readonly kind: 'token';
  readonly id: string;
  readonly name: string;
  readonly token: IApiToken;
  readonly children: null;
}

/** A row of the Registries section: all feeds, then one's own active tokens. */
export type RegistryItem = IFeedItem | ITokenItem;

/** State of the Registries section. Secrets are never kept: they are shown once by a dialog. */
export class RegistriesModel extends SectionModel<RegistryItem> {
  constructor(client: IPackagerClient, trans: TranslationBundle) {
    super(client, trans, { load: () => this._loadAll() });
  }

  get feeds(): readonly IFeed[] {
    return this.tree.root.items.flatMap(item =>
      item.kind === 'feed' ? [item.feed] : []
    );
  }

  /** Make a token. */
  async create(token: INewToken): Promise<ICreatedToken> {
    const created = await this.client.createToken(token);
    await this.refresh();
    return created;
  }

  /** End a token at once. */
  async revoke(id: string): Promise<void> {
    await this.client.revokeToken(id);
    await this.refresh();
  }

  private async _loadAll(): Promise<IPage<RegistryItem>> {
    const [feeds, tokens] = await Promise.all([
      this.client.feeds(),
      this.client.tokens()
    ]);
    const items: RegistryItem[] = feeds.map(feed => ({
      kind: 'feed',
      id: `feed:${feed.ecosystem}/${feed.name}`,
      name: `${feed.ecosystem}/${feed.name}`,
      feed,
      children: null
    }));
    for (const token of tokens) {
      if (token.state === 'active') {
        items.push({
          kind: 'token',
          id: `token:${token.id}`,
          name: token.description || token.scopes.join(', '),
          token,
          children: null
        });
      }
    }
    return { items, cursor: null };
  }
}
