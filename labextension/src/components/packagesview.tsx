import type { TranslationBundle } from '@jupyterlab/translation';
import { VDomRenderer } from '@jupyterlab/ui-components';
import React from 'react';

import { CommandIDs } from '../commands/ids';
import type { IPackage } from '../api/types';
import { countFiles, exactSize, formatSize, versionName } from '../format';
import type { PackageItem, PackagesModel } from '../model/packages';
import { Button, EmptyState, NoticeList } from './parts';
import { packageRow } from './rows';
import { TreeView } from './treeview';
import type { IViewContext } from './view';
import { nowS, openMenu } from './view';

/** Packages, and what one does with the one that is being worked on. */
export class PackagesView extends VDomRenderer<PackagesModel> {
  constructor(context: IViewContext) {
    super(context.model.packages);
    this._context = context;
    this._trans = context.trans;
    this.addClass('jp-packager-view');
    this.addClass('jp-packager-packages');
  }

  protected override render(): React.JSX.Element {
    const { model, _trans: trans } = this;
    const { current } = model;
    return (
      <>
        <NoticeList notices={model.notices} trans={trans} />
        {model.isEmpty ? (
          this._renderEmpty()
        ) : (
          <>
            {this._renderTree(current)}
            {current && this._renderBar(current)}
          </>
        )}
      </>
    );
  }

  private _renderTree(current: IPackage | null): React.JSX.Element {
    const { model, _trans: trans } = this;
    const { commands, locale } = this._context;
    const row = { trans, locale, nowS: nowS() };
    return (
      <TreeView<PackageItem>
        tree={model.tree}
        label={trans.__('Packages')}
        trans={trans}
        emptyText={trans.__(
          'Nothing in here yet: tick files above, then "Add to package".'
        )}
        describe={item => packageRow(item, current?.name ?? null, row)}
        onActivate={item => model.setCurrent(item.package)}
        onOpen={item => {
          if (item.kind === 'attachment') {
            void commands.execute(CommandIDs.openAttachment);
          } else {
            void commands.execute(CommandIDs.openFile);
          }
        }}
      />
    );
  }

  private _renderEmpty(): React.JSX.Element {
    const { _trans: trans } = this;
    return (
      <EmptyState
        text={trans.__(
          'A package is a list of files that stay where they are, with a README. Tick files in a source, or begin with an empty one.'
        )}
      >
        <Button
          isPrimary
          label={trans.__('New package…')}
          onClick={() =>
            void this._context.commands.execute(CommandIDs.newPackage)
          }
        />
      </EmptyState>
    );
  }

  private _renderBar(current: IPackage): React.JSX.Element {
    const { _trans: trans } = this;
    const { commands } = this._context;
    // What is published as it is, is there to be shared.
    const isNew =
      (current.draft?.is_changed ?? false) || current.versions === 0;
    const run = (command: string): void =>
      void commands.execute(command, { name: current.name });
    return (
      <div
        className="jp-packager-bar"
        role="toolbar"
        aria-label={trans.__('Current package')}
      >
        <span
          className="jp-packager-bar-text"
          title={exactSize(
            (current.draft ?? current.latest)?.bytes ?? 0,
            trans
          )}
        >
          {packageText(current, trans)}
        </span>
        {current.draft && (
          <>
            <Button
              hasMenu
              label={trans.__('Attach ▾')}
              onClick={event =>
                openMenu(commands, event.currentTarget, [
                  {
                    command: CommandIDs.openReadme,
                    args: { name: current.name }
                  },
                  {
                    command: CommandIDs.attachNotebook,
                    args: { name: current.name }
                  },
                  {
                    command: CommandIDs.attachFiles,
                    args: { name: current.name }
                  }
                ])
              }
            />
            <Button
              isPrimary={isNew}
              label={trans.__('Publish…')}
              onClick={() => run(CommandIDs.publish)}
            />
          </>
        )}
        <Button
          isPrimary={!isNew}
          label={trans.__('Share…')}
          isDisabled={current.versions === 0}
          title={
            current.versions === 0
              ? trans.__('Publish a version first, then share it.')
              : undefined
          }
          onClick={() => run(CommandIDs.share)}
        />
      </div>
    );
  }

  private _context: IViewContext;
  private _trans: TranslationBundle;
}

/** `ocean-2024 · 1,507 files · 3.2 GB · changed since v2` */
function packageText(info: IPackage, trans: TranslationBundle): string {
  const shown = info.draft ?? info.latest;
  const parts = [info.name];
  if (shown) {
    parts.push(countFiles(shown.files, trans), formatSize(shown.bytes));
  }
  if (info.draft?.is_changed && info.draft.base_version) {
    parts.push(
      trans.__('changed since %1', versionName(info.draft.base_version))
    );
  }
  return parts.join(' · ');
}
