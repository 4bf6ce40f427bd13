import type { TranslationBundle } from '@jupyterlab/translation';
import { VDomRenderer } from '@jupyterlab/ui-components';
import React from 'react';

import { CommandIDs } from '../commands/ids';
import type { IShareItem, SharesModel } from '../model/shares';
import { Button, EmptyState, NoticeList } from './parts';
import { shareRow } from './rows';
import { TreeView } from './treeview';
import type { IViewContext } from './view';
import { nowS } from './view';

/** One's own shares. */
export class SharesView extends VDomRenderer<SharesModel> {
  constructor(context: IViewContext) {
    super(context.model.shares);
    this._context = context;
    this._trans = context.trans;
    this.addClass('jp-packager-view');
    this.addClass('jp-packager-shares');
    // What can be shared depends on what is published.
    context.model.packages.stateChanged.connect(this.update, this);
  }

  protected override render(): React.JSX.Element {
    const { model, _trans: trans } = this;
    const { commands, locale } = this._context;
    const row = { trans, locale, nowS: nowS() };
    return (
      <>
        <NoticeList notices={model.notices} trans={trans} />
        {model.isEmpty ? (
          this._renderEmpty()
        ) : (
          <TreeView<IShareItem>
            tree={model.tree}
            label={trans.__('Shares')}
            trans={trans}
            emptyText={trans.__('Nothing is shared.')}
            describe={item => {
              const { id } = item.share;
              return shareRow(
                item,
                {
                  copy: () =>
                    void commands.execute(CommandIDs.copyShareLink, { id }),
                  edit: () =>
                    void commands.execute(CommandIDs.editShare, { id }),
                  revoke: () =>
                    void commands.execute(CommandIDs.revokeShare, { id })
                },
                row
              );
            }}
            onOpen={item =>
              void commands.execute(CommandIDs.copyShareLink, {
                id: item.share.id
              })
            }
          />
        )}
      </>
    );
  }

  private _renderEmpty(): React.JSX.Element {
    const { _trans: trans } = this;
    const { commands, model } = this._context;
    const canShare = model.packages.packages.some(info => info.versions > 0);
    return (
      <EmptyState
        text={
          canShare
            ? trans.__(
                'A link lets anyone read a published package, without an account.'
              )
            : trans.__('Publish a package first, then share it by a link.')
        }
      >
        {canShare && (
          <Button
            isPrimary
            label={trans.__('Share a package…')}
            onClick={() => void commands.execute(CommandIDs.share)}
          />
        )}
      </EmptyState>
    );
  }

  private _context: IViewContext;
  private _trans: TranslationBundle;
}
