/** The terms of a share that few need: for whom, from when, how often, which part. */

import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import type { IServerStatus, IShare, IShareTerms } from '../api/types';
import type { FormValues, IForm } from './form';
import { Area, Field, More } from './form';

type AudienceKind = 'anyone' | 'signed-in' | 'named';

/** The fields and what was typed into them. */
export class ShareTerms {
  constructor(
    trans: TranslationBundle,
    checkable: IServerStatus['audiences'],
    share: IShare | null
  ) {
    this._trans = trans;
    this._checkable = new Set(checkable);
    this._share = share;
    this._audience = kindOf(share?.audience ?? ['anyone']);
  }

  render(form: IForm): React.JSX.Element {
    const { _trans: trans, _share: share } = this;
    return (
      <More label={trans.__('More')} isOpen={share !== null}>
        <Field
          label={trans.__('Description, for your own list')}
          name="description"
          value={share?.description}
        />
        <Field
          label={trans.__('Words in the link')}
          name="slug"
          value={share?.slug ?? ''}
          placeholder={trans.__('ocean-survey')}
          hint={trans.__(
            'The link begins with them; what makes it secret stays.'
          )}
        />
        {this._renderAudience(form)}
        <Field
          label={trans.__('Not before')}
          name="starts"
          type="datetime-local"
          value={share?.starts_s ? localTime(share.starts_s) : ''}
        />
        <Field
          label={trans.__('Downloads at most')}
          name="most"
          type="number"
          value={share?.max_downloads ? String(share.max_downloads) : ''}
          hint={trans.__('Each file and each ZIP counts; empty is no limit.')}
        />
        <Area
          label={trans.__('Only these files')}
          name="paths"
          value={share?.paths.join('\n')}
          placeholder={trans.__('images')}
          hint={trans.__(
            'One a line: a file, a folder with all below it, or a pattern such as *.tif. Empty is everything.'
          )}
        />
      </More>
    );
  }

  /** What was typed; of a share that is changed, empty fields clear. */
  read(values: FormValues): IShareTerms {
    const typed = (name: string): string => values.get(name)?.trim() ?? '';
    const isChange = this._share !== null;
    const terms: IShareTerms = {};
    if (typed('description') || isChange) {
      terms.description = typed('description');
    }
    if (typed('slug') || isChange) {
      terms.slug = typed('slug') || null;
    }
    if (typed('most') || isChange) {
      terms.max_downloads = typed('most') ? Number(typed('most')) : null;
    }
    const paths = lines(typed('paths'));
    if (paths.length || isChange) {
      terms.paths = paths;
    }
    const audience = this._readAudience(typed('names'));
    if (audience[0] !== 'anyone' || isChange) {
      terms.audience = audience;
    }
    this._readStart(typed('starts'), terms);
    return terms;
  }

  private _readStart(typed: string, terms: IShareTerms): void {
    const old = this._share?.starts_s ?? null;
    if (typed === (old === null ? '' : localTime(old))) {
      return; // as it was
    }
    const inS = Math.round((new Date(typed).getTime() - Date.now()) / 1000);
    terms.starts_in_s = typed ? Math.max(0, inS) : null;
  }

  private _readAudience(names: string): string[] {
    return this._audience === 'named'
      ? names
          .split(/[,\n]/)
          .map(name => name.trim())
          .filter(Boolean)
      : [this._audience];
  }

  private _renderAudience(form: IForm): React.JSX.Element | null {
    const { _trans: trans, _share: share } = this;
    const choices = this._choices();
    if (choices.length === 1) {
      return null;
    }
    const hasGroups = this._checkable.has('group');
    return (
      <>
        <label className="jp-packager-field">
          <span className="jp-packager-field-label">{trans.__('For')}</span>
          <select
            className="jp-mod-styled"
            name="audience"
            defaultValue={this._audience}
            onChange={event => {
              this._audience = event.currentTarget.value as AudienceKind;
              form.update();
            }}
          >
            {choices.map(([value, label]) => (
              <option key={value} value={value}>
                {label}
              </option>
            ))}
          </select>
        </label>
        {this._audience === 'named' && (
          <Field
            label={trans.__('Who')}
            name="names"
            isRequired
            value={
              share && kindOf(share.audience) === 'named'
                ? share.audience.join(', ')
                : ''
            }
            placeholder={
              hasGroups
                ? trans.__('user:ann, group:reviewers')
                : trans.__('user:ann, user:bob')
            }
            hint={
              hasGroups
                ? trans.__('user: or group: and the name, with commas between.')
                : trans.__('user: and the name, with commas between.')
            }
          />
        )}
      </>
    );
  }

  /** What this server can check, and what the share says already. */
  private _choices(): [AudienceKind, string][] {
    const { _trans: trans, _checkable: checkable, _audience: current } = this;
    const choices: [AudienceKind, string][] = [
      ['anyone', trans.__('Anyone who has the link')]
    ];
    if (checkable.has('signed-in') || current === 'signed-in') {
      choices.push([
        'signed-in',
        trans.__('People who have signed in to this server')
      ]);
    }
    if (
      checkable.has('user') ||
      checkable.has('group') ||
      current === 'named'
    ) {
      choices.push(['named', trans.__('These people')]);
    }
    return choices;
  }

  private _trans: TranslationBundle;
  private _checkable: ReadonlySet<string>;
  private _share: IShare | null;
  private _audience: AudienceKind;
}

function kindOf(audience: readonly string[]): AudienceKind {
  const [first] = audience;
  return first === 'anyone' || first === 'signed-in' ? first : 'named';
}

function lines(text: string): string[] {
  return text
    .split('\n')
    .map(line => line.trim())
    .filter(Boolean);
}

/** A time as an input of type datetime-local shows it, in the zone of the browser. */
export function localTime(atS: number): string {
  const at = new Date(atS * 1000);
  const shifted = new Date(at.getTime() - at.getTimezoneOffset() * 60_000);
  return shifted.toISOString().slice(0, 16);
}
