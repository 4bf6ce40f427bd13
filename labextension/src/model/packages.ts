/** Packages: drafts with their files and attachments, and the versions published from them. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { Debouncer } from '@lumino/polling';

import type {
  IAttachment,
  IFile,
  IPackage,
  IPage,
  IVersion
} from '../api/types';
import type { IPackagerClient } from '../tokens';
import type { Loader } from '../tree/level';
import { SectionModel } from './section';

/** Changes that come together are read once. */
const REFRESH_MS = 500;

interface IBase {
  readonly id: string;
  readonly name: string;
  /** Name of the package that this belongs to. */
  readonly package: string;
}

/** A package: a draft, published versions, or both. */
export interface IPackageItem extends IBase {
  readonly kind: 'package';
  readonly info: IPackage;
  readonly children: Loader<PackageItem>;
}

/** The versions of a package that also has a draft. */
export interface IVersionsItem extends IBase {
  readonly kind: 'versions';
  readonly count: number;
  readonly children: Loader<PackageItem>;
}

/** One published version. */
export interface IVersionItem extends IBase {
  readonly kind: 'version';
  readonly version: IVersion;
  readonly children: Loader<PackageItem>;
}

/** A small file whose bytes are in the draft. */
export interface IAttachmentItem extends IBase {
  readonly kind: 'attachment';
  readonly attachment: IAttachment;
  readonly children: null;
}

/** A pointer, or a folder of pointers. `version` is null in a draft. */
export interface IFileItem extends IBase {
  readonly kind: 'file';
  readonly version: string | null;
  readonly file: IFile;
  readonly children: Loader<PackageItem> | null;
}

export type PackageItem =
  IPackageItem | IVersionsItem | IVersionItem | IAttachmentItem | IFileItem;

/** State of the Packages section. */
export class PackagesModel extends SectionModel<PackageItem> {
  constructor(client: IPackagerClient, trans: TranslationBundle) {
    super(client, trans, {
      load: () => this._loadPackages(),
      selectable: item =>
        item.kind === 'file' && item.version === null
          ? {
              group: item.package,
              key: item.file.is_folder
                ? `${item.file.path.replace(/\/$/, '')}/`
                : item.file.path,
              isFolder: item.file.is_folder,
              sizeBytes: item.file.size_bytes
            }
          : null
    });
  }

  /** Every package, as last read. */
  get packages(): readonly IPackage[] {
    return this._packages;
  }

  /** Those that can be added to. */
  get drafts(): readonly IPackage[] {
    return this._packages.filter(info => info.draft !== null);
  }

  /** The package that is being worked on: where "Add to package" puts things. */
  get current(): IPackage | null {
    return (
      this._packages.find(info => info.name === this._current) ??
      (this.drafts.length === 1 ? (this.drafts[0] ?? null) : null)
    );
  }

  /** Read again soon: something outside of here may have changed a draft. */
  refreshSoon(): void {
    void this._debouncer.invoke();
  }

  setCurrent(name: string | null): void {
    if (name !== this._current) {
      this._current = name;
      this.stateChanged.emit();
    }
  }

  /** Make a draft and work on it. */
  async create(name: string, title: string): Promise<void> {
    await this.client.createPackage(name, title);
    this._current = name;
    await this.refresh();
    this.reveal(name);
  }

  /** Delete the draft; what was published stays. */
  async deleteDraft(name: string): Promise<void> {
    await this.client.deleteDraft(name);
    await this.refresh();
  }

  /** Remove what is ticked in a package. */
  async removeFiles(name: string, paths: string[]): Promise<void> {
    await this.client.removeFiles(name, paths);
    this.tree.clearSelection();
    await this.refresh();
  }

  async move(name: string, from: string, to: string): Promise<void> {
    await this.client.moveFile(name, from, to);
    await this.refresh();
  }

  async attach(name: string, path: string, data: Blob): Promise<void> {
    await this.client.attach(name, path, data);
    await this.refresh();
    this.reveal(name);
  }

  async detach(name: string, path: string): Promise<void> {
    await this.client.detach(name, path);
    await this.refresh();
  }

  override dispose(): void {
    this._debouncer.dispose();
    super.dispose();
  }

  /** Open a package and make it the active row. */
  reveal(name: string): void {
    const { root } = this.tree;
    const position = root.positionOf(name);
    if (position >= 0) {
      root.open(position);
      this.tree.reveal(root.offsetOf(position), { focus: false });
    }
  }

  private async _loadPackages(): Promise<IPage<PackageItem>> {
    this._packages = await this.client.packages();
    this.tree.selection.retain(new Set(this._packages.map(info => info.name)));
    return {
      items: this._packages.map(info => ({
        kind: 'package',
        id: info.name,
        name: info.name,
        package: info.name,
        info,
        children: info.draft
          ? this._draftLoader(info)
          : this._versionsLoader(info.name)
      })),
      cursor: null
    };
  }

  /** A draft's versions and attachments come with the first page of its files. */
  private _draftLoader(info: IPackage): Loader<PackageItem> {
    const files = this._filesLoader(info.name, null, '');
    return async (cursor, signal) => {
      if (cursor !== null) {
        return files(cursor, signal);
      }
      const [detail, page] = await Promise.all([
        this.client.package(info.name),
        files(null, signal)
      ]);
      const first: PackageItem[] = detail.attachments.map(attachment => ({
        kind: 'attachment',
        id: `attachment:${attachment.path}`,
        name: attachment.path,
        package: info.name,
        attachment,
        children: null
      }));
      if (info.versions > 0) {
        first.unshift({
          kind: 'versions',
          id: 'versions:',
          name: this.trans.__('Versions'),
          package: info.name,
          count: info.versions,
          children: this._versionsLoader(info.name)
        });
      }
      return { items: [...first, ...page.items], cursor: page.cursor };
    };
  }

  private _versionsLoader(name: string): Loader<PackageItem> {
    return async () => ({
      items: (await this.client.versions(name)).map(version => ({
        kind: 'version',
        id: `version:${version.version}`,
        name: version.version,
        package: name,
        version,
        children: this._filesLoader(name, version.version, '')
      })),
      cursor: null
    });
  }

  private _filesLoader(
    name: string,
    version: string | null,
    path: string
  ): Loader<PackageItem> {
    return async (cursor, signal) => {
      const page = await this.client.files(name, version, path, cursor, signal);
      return {
        items: page.items.map(file => ({
          kind: 'file',
          id: `file:${file.path}`,
          name: file.name,
          package: name,
          version,
          file,
          children: file.is_folder
            ? this._filesLoader(name, version, file.path)
            : null
        })),
        cursor: page.cursor
      };
    };
  }

  private _debouncer = new Debouncer(() => this.refresh(), REFRESH_MS);
  private _packages: IPackage[] = [];
  private _current: string | null = null;
}
