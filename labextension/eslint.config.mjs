import js from '@eslint/js';
import jupyter from '@jupyter/eslint-plugin';
import prettier from 'eslint-plugin-prettier/recommended';
import globals from 'globals';
import tseslint from 'typescript-eslint';

/** Every rule that Jupyter's plugin recommends is an error here, its warnings too. */
const jupyterRules = jupyter.configs.recommended.map(config => ({
  ...config,
  plugins: { jupyter },
  rules: Object.fromEntries(
    Object.entries(config.rules).map(([name, level]) => [
      name,
      level === 'warn' ? 'error' : level
    ])
  )
}));

export default tseslint.config(
  {
    ignores: ['lib/**', 'node_modules/**', 'coverage/**', 'ui-tests/**']
  },
  js.configs.recommended,
  prettier,
  ...jupyterRules,
  {
    files: ['src/**/*.ts', 'src/**/*.tsx'],
    extends: [
      ...tseslint.configs.recommendedTypeChecked,
      ...tseslint.configs.stylisticTypeChecked
    ],
    languageOptions: {
      globals: globals.browser,
      parserOptions: {
        project: './tsconfig.test.json',
        tsconfigRootDir: import.meta.dirname
      }
    },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/naming-convention': [
        'error',
        {
          selector: 'interface',
          format: ['PascalCase'],
          custom: { regex: '^I[A-Z]', match: true }
        }
      ],
      // A token and the interface it stands for share their name; so do classes and namespaces.
      '@typescript-eslint/no-namespace': 'off',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { args: 'after-used', argsIgnorePattern: '^_' }
      ],
      // An empty text means "not given" as often as null does.
      '@typescript-eslint/prefer-nullish-coalescing': [
        'error',
        { ignorePrimitives: { string: true } }
      ],
      // Slots are connected as `signal.connect(this._on, this)`.
      '@typescript-eslint/unbound-method': 'off',
      curly: ['error', 'all'],
      eqeqeq: 'error',
      'prefer-arrow-callback': 'error'
    }
  },
  {
    // Activation needs these at once; what only an action needs (dialogs) is imported there.
    files: ['src/plugins/**'],
    rules: {
      'jupyter/prefer-lazy-imports': [
        'error',
        {
          allowedPackages: [
            '@jupyterlab/*',
            '../api/*',
            '../model/*',
            '../commands/*',
            '../components/*'
          ]
        }
      ]
    }
  },
  {
    files: ['src/__tests__/**'],
    languageOptions: { globals: { ...globals.jest, ...globals.node } },
    rules: {
      'jupyter/no-untranslated-string': 'off',
      // A test's objects live as long as the test.
      'jupyter/require-disposable-ownership': 'off'
    }
  },
  {
    files: ['*.js', '*.mjs', 'style/*.js'],
    languageOptions: { globals: globals.node }
  }
);
