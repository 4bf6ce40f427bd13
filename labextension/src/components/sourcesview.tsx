import type { TranslationBundle } from '@jupyterlab/translation';
import { VDomRenderer, closeIcon } from '@jupyterlab/ui-components';
import React from 'react';

import { NoSourceError } from '../api/errors';
import { CommandIDs } from '../commands/ids';
import { countFiles, exactSize, formatSize } from '../format';
import type { INotice } from '../model/notices';
import type { SourceItem, SourcesModel } from '../model/sources';
import type { ISelectionSummary } from '../tree/selection';
import type { INoticeAction } from './notice';
import { Button, CopyLine, EmptyState, NoticeList } from './parts';
import { sourceRow } from './rows';
import { TreeView } from './treeview';
import type { IViewContext } from './view';
import { nowS, openMenu } from './view';

/** Sources, what they hold, and what of it is ticked. */
export class SourcesView extends VDomRenderer<SourcesModel> {
  constructor(context: IViewContext) {
    super(context.model.sources);
    this._context = context;
    this._trans = context.trans;
    this.addClass('jp-packager-view');
    this.addClass('jp-packager-sources');
  }

  protected override render(): React.JSX.Element {
    const { model, _trans: trans } = this;
    const summary = model.tree.selection.summary;
    return (
      <>
        <NoticeList
          notices={model.notices}
          trans={trans}
          actionsFor={notice => this._actionsFor(notice)}
        />
        {model.isEmpty ? (
          this._renderEmpty()
        ) : (
          <>
            <JumpBox trans={trans} onJump={text => this._jump(text)} />
            {this._renderTree()}
            {!model.tree.selection.isEmpty && this._renderBar(summary)}
          </>
        )}
      </>
    );
  }

  private _renderTree(): React.JSX.Element {
    const { model, _trans: trans } = this;
    const { commands, locale } = this._context;
    const row = { trans, locale, nowS: nowS() };
    return (
      <TreeView<SourceItem>
        tree={model.tree}
        label={trans.__('Sources')}
        trans={trans}
        emptyText={trans.__('Nothing in here.')}
        describe={(item, children) =>
          sourceRow(
            item,
            children,
            model.stateOf(item.source.name),
            () => item.kind === 'jump' && void model.forgetJump(item),
            row
          )
        }
        onOpen={() => void commands.execute(CommandIDs.openFile)}
        actionsFor={item =>
          item && !item.source.is_managed
            ? [
                {
                  label: trans.__('Fix…'),
                  run: () =>
                    void commands.execute(CommandIDs.editSource, {
                      name: item.source.name
                    })
                }
              ]
            : []
        }
      />
    );
  }

  private _renderEmpty(): React.JSX.Element {
    const { _trans: trans } = this;
    return (
      <EmptyState
        text={trans.__(
          'Connect a bucket, a container or a folder, and browse it here. The data stays where it is.'
        )}
      >
        <Button
          isPrimary
          label={trans.__('Add a source…')}
          onClick={() =>
            void this._context.commands.execute(CommandIDs.addSource)
          }
        />
        <p>{trans.__('Or see it at work first, in a terminal:')}</p>
        <CopyLine
          text="packager demo"
          label={trans.__('Command that shows a demo')}
          trans={trans}
        />
      </EmptyState>
    );
  }

  private _renderBar(summary: ISelectionSummary): React.JSX.Element {
    const { _trans: trans } = this;
    return (
      <div
        className="jp-packager-bar"
        role="toolbar"
        aria-label={trans.__('Selection')}
      >
        <span
          className="jp-packager-bar-text"
          title={exactSize(summary.bytes, trans)}
        >
          {selectionText(summary, trans)}
        </span>
        <Button
          isPrimary
          hasMenu
          label={trans.__('Add to package ▾')}
          onClick={event => this._openAddMenu(event.currentTarget)}
        />
        <button
          type="button"
          className="jp-packager-iconButton"
          title={trans.__('Clear the selection')}
          aria-label={trans.__('Clear the selection')}
          onClick={() => this.model.tree.clearSelection()}
        >
          <closeIcon.react tag="span" />
        </button>
      </div>
    );
  }

  /** The drafts, the current one first, and a new one. */
  private _openAddMenu(button: HTMLElement): void {
    const { commands, model } = this._context;
    const { drafts, current } = model.packages;
    const names = drafts.map(draft => draft.name);
    names.sort(
      (a, b) => Number(b === current?.name) - Number(a === current?.name)
    );
    openMenu(commands, button, [
      ...names.map(name => ({
        command: CommandIDs.addToPackage,
        args: { name }
      })),
      ...(names.length > 0 ? [null] : []),
      { command: CommandIDs.addToPackage, args: {} }
    ]);
  }

  private _jump(text: string): void {
    void this.model.attempt(() => this.model.go(text));
  }

  private _actionsFor(notice: INotice): readonly INoticeAction[] {
    const { error } = notice;
    if (!(error instanceof NoSourceError)) {
      return [];
    }
    return [
      {
        label: this._trans.__('Add a source…'),
        run: () => {
          this.model.notices.dismiss(notice.id);
          void this._context.commands.execute(CommandIDs.addSource, {
            url: error.address
          });
        }
      }
    ];
  }

  private _context: IViewContext;
  private _trans: TranslationBundle;
}

/** The box that goes straight to a prefix or an address. */
function JumpBox(props: {
  trans: TranslationBundle;
  onJump: (text: string) => void;
}): React.JSX.Element {
  const { trans } = props;
  return (
    <form
      className="jp-packager-jump"
      role="search"
      onSubmit={event => {
        event.preventDefault();
        const input = event.currentTarget.elements.namedItem('target');
        if (input instanceof HTMLInputElement && input.value.trim()) {
          props.onJump(input.value.trim());
          input.value = '';
        }
      }}
    >
      <input
        name="target"
        type="text"
        spellCheck={false}
        autoComplete="off"
        placeholder={trans.__('Jump to a prefix or s3://bucket/…')}
        aria-label={trans.__('Jump to a prefix or an address')}
        title={trans.__(
          'What begins with a prefix in the source of the current row (obs/2024), in a named source (lake:obs/2024), or at an address (s3://bucket/obs/2024). Enter goes there.'
        )}
      />
    </form>
  );
}

/** `2 folders, 3 files · 1.2 GB` */
function selectionText(
  { files, folders, bytes }: ISelectionSummary,
  trans: TranslationBundle
): string {
  const parts: string[] = [];
  if (folders > 0) {
    parts.push(trans._n('%1 folder', '%1 folders', folders));
  }
  if (files > 0) {
    parts.push(
      trans.__('%1 · %2', countFiles(files, trans), formatSize(bytes))
    );
  }
  return parts.join(', ');
}
