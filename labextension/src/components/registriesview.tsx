import type { TranslationBundle } from '@jupyterlab/translation';
import { VDomRenderer } from '@jupyterlab/ui-components';
import React from 'react';

import { CommandIDs } from '../commands/ids';
import type { RegistriesModel, RegistryItem } from '../model/registries';
import { CopyLine, EmptyState, NoticeList } from './parts';
import { feedRow, tokenRow } from './registryrows';
import { TreeView } from './treeview';
import type { IViewContext } from './view';
import { nowS } from './view';

/** The feeds of this server and one's own tokens. */
export class RegistriesView extends VDomRenderer<RegistriesModel> {
  constructor(context: IViewContext) {
    super(context.model.registries);
    this._context = context;
    this._trans = context.trans;
    this.addClass('jp-packager-view');
    this.addClass('jp-packager-registries');
  }

  protected override render(): React.JSX.Element {
    const { model, _trans: trans } = this;
    const { commands, locale } = this._context;
    const row = { trans, locale, nowS: nowS() };
    const run = (command: string, id: string): void => {
      void commands.execute(command, { id });
    };
    return (
      <>
        <NoticeList notices={model.notices} trans={trans} />
        {model.isEmpty ? (
          <EmptyState
            text={trans.__(
              'A feed serves packages to pip, terraform and others. Make one where the server runs:'
            )}
          >
            <CopyLine
              text="packager feed create pypi/main"
              label={trans.__('Command that makes a feed')}
              trans={trans}
            />
          </EmptyState>
        ) : (
          <TreeView<RegistryItem>
            tree={model.tree}
            label={trans.__('Registries')}
            trans={trans}
            emptyText={trans.__('There is no feed.')}
            describe={item =>
              item.kind === 'feed'
                ? feedRow(
                    item,
                    { copy: () => run(CommandIDs.copyInstallLine, item.id) },
                    row
                  )
                : tokenRow(
                    item,
                    { revoke: () => run(CommandIDs.revokeToken, item.id) },
                    row
                  )
            }
            onOpen={item => {
              if (item.kind === 'feed') {
                run(CommandIDs.copyInstallLine, item.id);
              }
            }}
          />
        )}
      </>
    );
  }

  private _context: IViewContext;
  private _trans: TranslationBundle;
}
