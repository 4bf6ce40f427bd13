/** What a form must ask for each kind of source and each way to give a credential. */

import type { TranslationBundle } from '@jupyterlab/translation';

import type { ISourceOptions } from '../api/types';

/** A field that goes into a credential or into the options. */
export interface IKindField {
  /** The variable or the option that it fills. */
  readonly name: string;
  readonly label: string;
  readonly isSecret?: boolean;
  readonly isRequired?: boolean;
  readonly placeholder?: string;
  readonly hint?: string;
}

/** A way to give a credential. */
export interface ICredentialForm {
  /** Distinguishes ways that store different variables. */
  readonly id: string;
  /** What the server calls it. */
  readonly kind: string;
  readonly label: string;
  /** Variables of a stored secret. */
  readonly secret?: readonly IKindField[];
  /** What the credential refers to: a profile, a prefix. */
  readonly ref?: IKindField;
}

/** A kind of source. */
export interface IKindForm {
  readonly label: string;
  readonly urlLabel: string;
  readonly urlPlaceholder: string;
  /** What an address of this kind begins with. */
  readonly scheme: string;
  readonly credentials: readonly ICredentialForm[];
  readonly options: readonly (IKindField & { name: keyof ISourceOptions })[];
  /** Options that few need. */
  readonly more: readonly (IKindField & { name: keyof ISourceOptions })[];
}

/** The kinds of sources that can be connected from here. */
export function sourceKinds(
  trans: TranslationBundle
): Readonly<Record<string, IKindForm>> {
  return {
    s3: s3Form(trans),
    azure: azureForm(trans),
    local: localForm(trans)
  };
}

function s3Form(trans: TranslationBundle): IKindForm {
  return {
    label: trans.__('S3'),
    urlLabel: trans.__('Bucket and prefix'),
    urlPlaceholder: 's3://bucket/prefix',
    scheme: 's3://',
    credentials: [
      {
        id: 'stored',
        kind: 'stored',
        label: trans.__('Access key'),
        secret: [
          {
            name: 'AWS_ACCESS_KEY_ID',
            label: trans.__('Access key id'),
            isRequired: true
          },
          {
            name: 'AWS_SECRET_ACCESS_KEY',
            label: trans.__('Secret access key'),
            isSecret: true,
            isRequired: true
          },
          {
            name: 'AWS_SESSION_TOKEN',
            label: trans.__('Session token (only for temporary keys)'),
            isSecret: true
          }
        ]
      },
      {
        id: 'anonymous',
        kind: 'anonymous',
        label: trans.__('None: the data is public')
      },
      {
        id: 'profile',
        kind: 'profile',
        label: trans.__('AWS profile of the server'),
        ref: {
          name: 'profile',
          label: trans.__('Profile'),
          placeholder: trans.__('default'),
          isRequired: true
        }
      },
      environment(trans, 'LAKE', 'LAKE_AWS_ACCESS_KEY_ID')
    ],
    options: [
      {
        name: 'endpoint_url',
        label: trans.__('Endpoint (empty for AWS)'),
        placeholder: trans.__('https://s3.example.org')
      },
      {
        name: 'region',
        label: trans.__('Region (empty: found out)'),
        placeholder: trans.__('us-east-1')
      }
    ],
    more: [caBundle(trans), publicEndpoint(trans)]
  };
}

function azureForm(trans: TranslationBundle): IKindForm {
  const stored = (id: string, label: string, variable: string) => ({
    id,
    kind: 'stored',
    label,
    secret: [{ name: variable, label, isSecret: true, isRequired: true }]
  });
  return {
    label: trans.__('Azure'),
    urlLabel: trans.__('Account, container and prefix'),
    urlPlaceholder: 'azure://account/container/prefix',
    scheme: 'azure://',
    credentials: [
      stored('key', trans.__('Account key'), 'AZURE_STORAGE_KEY'),
      stored('sas', trans.__('SAS token'), 'AZURE_STORAGE_SAS_TOKEN'),
      stored(
        'connection',
        trans.__('Connection string'),
        'AZURE_STORAGE_CONNECTION_STRING'
      ),
      {
        id: 'azure-default',
        kind: 'azure-default',
        label: trans.__('Sign-in of the server')
      },
      {
        id: 'anonymous',
        kind: 'anonymous',
        label: trans.__('None: the data is public')
      },
      environment(trans, 'ARCHIVE', 'ARCHIVE_AZURE_STORAGE_KEY')
    ],
    options: [
      {
        name: 'endpoint_url',
        label: trans.__('Endpoint (empty for Azure)'),
        placeholder: trans.__('https://account.blob.core.example.org')
      }
    ],
    more: [caBundle(trans), publicEndpoint(trans)]
  };
}

function localForm(trans: TranslationBundle): IKindForm {
  return {
    label: trans.__('Folder of the server'),
    urlLabel: trans.__('Folder'),
    urlPlaceholder: 'file:///data/survey',
    scheme: 'file://',
    credentials: [],
    options: [],
    more: [
      {
        name: 'presign_as',
        label: trans.__('It is a mount of this bucket'),
        placeholder: trans.__('s3://bucket/prefix'),
        hint: trans.__(
          'Then links lead to the bucket instead of to this server.'
        )
      }
    ]
  };
}

function environment(
  trans: TranslationBundle,
  placeholder: string,
  example: string
): ICredentialForm {
  return {
    id: 'env',
    kind: 'env',
    label: trans.__('Environment variables of the server'),
    ref: {
      name: 'env',
      label: trans.__('Prefix of the variables'),
      placeholder,
      isRequired: true,
      hint: trans.__('%1 for %2 and so on.', placeholder, example)
    }
  };
}

function caBundle(trans: TranslationBundle) {
  return {
    name: 'ca_bundle' as const,
    label: trans.__('Certificates to trust (a PEM file on the server)'),
    placeholder: trans.__('/etc/ssl/certs/lab.pem')
  };
}

function publicEndpoint(trans: TranslationBundle) {
  return {
    name: 'public_endpoint_url' as const,
    label: trans.__('Endpoint for links, when others reach it elsewhere'),
    placeholder: trans.__('https://s3.example.org')
  };
}
