import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import { Field, openForm } from './form';

/** What the names of packages look like; the server says the same. */
const PACKAGE_PATTERN =
  '([a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*\\/)?[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*';

/** Ask for a new package and make it. Resolves with its name, or null when cancelled. */
export async function openPackageDialog(options: {
  readonly trans: TranslationBundle;
  readonly submit: (name: string, title: string) => Promise<void>;
}): Promise<string | null> {
  const { trans } = options;
  return openForm<string>({
    title: trans.__('New package'),
    accept: trans.__('Create'),
    trans,
    render: () => (
      <>
        <Field
          label={trans.__('Name')}
          name="name"
          placeholder={trans.__('ocean-2024')}
          pattern={PACKAGE_PATTERN}
          title={trans.__(
            'Lower-case letters and digits, with . _ - between them.'
          )}
          isRequired
        />
        <Field
          label={trans.__('Title')}
          name="title"
          placeholder={trans.__('Ocean survey 2024')}
        />
      </>
    ),
    submit: async values => {
      const name = values.get('name')?.trim() ?? '';
      await options.submit(name, values.get('title')?.trim() ?? '');
      return name;
    }
  });
}

/** Ask for one name. Resolves with whether `submit` took it. */
export async function openNameDialog(options: {
  readonly title: string;
  readonly label: string;
  readonly value: string;
  readonly accept: string;
  readonly trans: TranslationBundle;
  readonly submit: (name: string) => Promise<void>;
}): Promise<boolean> {
  const done = await openForm<true>({
    title: options.title,
    accept: options.accept,
    trans: options.trans,
    render: () => (
      <Field
        label={options.label}
        name="name"
        value={options.value}
        isRequired
      />
    ),
    submit: async values => {
      await options.submit(values.get('name')?.trim() ?? '');
      return true;
    }
  });
  return done ?? false;
}
