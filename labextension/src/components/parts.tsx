/** Small parts that several sections use. */

import { Clipboard } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { checkIcon, copyIcon } from '@jupyterlab/ui-components';
import React, { useState } from 'react';

import type { Notices } from '../model/notices';
import type { INotice } from '../model/notices';
import type { INoticeAction } from './notice';
import { Notice } from './notice';

/** A line of text that is there to be copied: a command, a link, a digest. */
export function CopyLine(props: {
  text: string;
  label: string;
  trans: TranslationBundle;
  /** Show all of it, on as many lines as it takes. */
  isWhole?: boolean;
}): React.JSX.Element {
  const [isCopied, setCopied] = useState(false);
  const { trans } = props;
  const title = isCopied ? trans.__('Copied') : trans.__('Copy');
  const Icon = isCopied ? checkIcon : copyIcon;
  return (
    <div className="jp-packager-copyLine">
      {props.isWhole ? (
        <code aria-label={props.label}>{props.text}</code>
      ) : (
        <input
          readOnly
          value={props.text}
          aria-label={props.label}
          spellCheck={false}
          onFocus={event => event.currentTarget.select()}
        />
      )}
      <button
        type="button"
        className="jp-packager-iconButton"
        title={title}
        aria-label={trans.__('%1: %2', title, props.label)}
        onClick={() => {
          Clipboard.copyToSystem(props.text);
          setCopied(true);
        }}
      >
        <Icon.react tag="span" />
      </button>
    </div>
  );
}

/** The errors of a section. */
export function NoticeList(props: {
  notices: Notices;
  trans: TranslationBundle;
  actionsFor?: (notice: INotice) => readonly INoticeAction[];
}): React.JSX.Element {
  const { notices, trans } = props;
  return (
    <>
      {notices.all.map(notice => (
        <Notice
          key={notice.id}
          error={notice.error}
          trans={trans}
          actions={[
            ...(props.actionsFor?.(notice) ?? []),
            ...(notice.retry
              ? [
                  {
                    label: trans.__('Try again'),
                    run: () => {
                      notices.dismiss(notice.id);
                      void notice.retry?.();
                    }
                  }
                ]
              : [])
          ]}
          onDismiss={() => notices.dismiss(notice.id)}
        />
      ))}
    </>
  );
}

/** What a section says while there is nothing in it: what it is for, and the next step. */
export function EmptyState(props: {
  text: string;
  children: React.ReactNode;
}): React.JSX.Element {
  return (
    <div className="jp-packager-empty">
      <p>{props.text}</p>
      {props.children}
    </div>
  );
}

/** A button with words. */
export function Button(props: {
  label: string;
  title?: string;
  isPrimary?: boolean;
  isDisabled?: boolean;
  hasMenu?: boolean;
  onClick: (event: React.MouseEvent<HTMLButtonElement>) => void;
}): React.JSX.Element {
  return (
    <button
      type="button"
      className={`jp-packager-button${props.isPrimary ? ' jp-mod-primary' : ''}`}
      title={props.title}
      disabled={props.isDisabled}
      aria-haspopup={props.hasMenu ? 'menu' : undefined}
      onClick={props.onClick}
    >
      {props.label}
    </button>
  );
}
