/** What the sections of the sidebar have in common: a tree, notices, guarded actions. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { VDomModel } from '@jupyterlab/ui-components';

import type { PackagerError } from '../api/errors';
import { asPackagerError } from '../api/errors';
import type { ITreeItem } from '../tree/level';
import type { ITreeOptions } from '../tree/tree';
import { Tree } from '../tree/tree';
import type { IPackagerClient } from '../tokens';
import { Notices } from './notices';

/** State of one section. */
export abstract class SectionModel<T extends ITreeItem> extends VDomModel {
  constructor(
    client: IPackagerClient,
    trans: TranslationBundle,
    options: Omit<ITreeOptions<T>, 'explain'>
  ) {
    super();
    this.client = client;
    this.trans = trans;
    this.tree = new Tree<T>({
      ...options,
      explain: error => this.explain(error)
    });
    this.tree.stateChanged.connect(this._forward, this);
  }

  readonly tree: Tree<T>;

  readonly notices = new Notices(() => this.stateChanged.emit());

  /** Read the list again; what is open stays open. */
  async refresh(): Promise<void> {
    await this.tree.root.refresh();
  }

  /** Whether the list is known to be empty, which is not the same as not read. */
  get isEmpty(): boolean {
    const { root } = this.tree;
    return root.status === 'complete' && root.items.length === 0;
  }

  explain(error: unknown): PackagerError {
    return asPackagerError(error, this.trans);
  }

  /** Run an action; what goes wrong stays beside the section until it is dismissed. */
  async attempt(action: () => Promise<void>): Promise<boolean> {
    try {
      await action();
      return true;
    } catch (error) {
      this.notices.add(this.explain(error), async () => {
        await this.attempt(action);
      });
      return false;
    }
  }

  override dispose(): void {
    if (!this.isDisposed) {
      this.tree.dispose();
      super.dispose();
    }
  }

  protected readonly client: IPackagerClient;

  protected readonly trans: TranslationBundle;

  private _forward(): void {
    this.stateChanged.emit();
  }
}
