/** Shares: who may read what, and for how long. */

import type { TranslationBundle } from '@jupyterlab/translation';

import type {
  ICreatedShare,
  INewShare,
  IPage,
  IShare,
  IShareChange
} from '../api/types';
import type { IPackagerClient } from '../tokens';
import { SectionModel } from './section';

/** One share in the list. */
export interface IShareItem {
  readonly kind: 'share';
  readonly id: string;
  readonly name: string;
  readonly share: IShare;
  readonly children: null;
}

/** State of the Shares section. Links are never kept: they are asked for when they are copied. */
export class SharesModel extends SectionModel<IShareItem> {
  constructor(client: IPackagerClient, trans: TranslationBundle) {
    super(client, trans, { load: () => this._loadShares() });
  }

  /** Share a package. */
  async create(share: INewShare): Promise<ICreatedShare> {
    const created = await this.client.createShare(share);
    await this.refresh();
    return created;
  }

  /** Change a share. */
  async change(id: string, change: IShareChange): Promise<ICreatedShare> {
    const changed = await this.client.changeShare(id, change);
    await this.refresh();
    return changed;
  }

  /** Give a share another link. */
  async rotate(id: string): Promise<ICreatedShare> {
    const rotated = await this.client.rotateShare(id);
    await this.refresh();
    return rotated;
  }

  /** The link of a share. */
  async link(id: string): Promise<string> {
    return this.client.shareLink(id);
  }

  /** End a share for everyone. */
  async revoke(id: string): Promise<void> {
    await this.client.revokeShare(id);
    await this.refresh();
  }

  private async _loadShares(): Promise<IPage<IShareItem>> {
    const shares = await this.client.shares();
    return {
      items: shares.map(share => ({
        kind: 'share',
        id: share.id,
        name: share.package,
        share,
        children: null
      })),
      cursor: null
    };
  }
}
