const baseConfig = require('@jupyterlab/testutils/lib/jest-config');

const shared = baseConfig(__dirname);

/** Packages that are published as ES modules. */
const esModules = [
  '@codemirror',
  '@jupyter/react-components',
  '@jupyter/web-components',
  '@jupyter/ydoc',
  '@jupyterlab/',
  '@marijn',
  '@microsoft',
  'color',
  'exenv-es6',
  'lib0',
  'marked',
  'nanoid',
  'vscode-ws-jsonrpc',
  'y-protocols',
  'y-websocket',
  'yjs'
].join('|');

module.exports = {
  ...shared,
  modulePathIgnorePatterns: ['<rootDir>/../packager_jupyter/labextension'],
  reporters: ['default'],
  setupFiles: [...shared.setupFiles, '<rootDir>/src/__tests__/setup.ts'],
  testPathIgnorePatterns: ['/lib/', '/node_modules/', '/ui-tests/'],
  testRegex: 'src/__tests__/.*\\.spec\\.tsx?$',
  transformIgnorePatterns: [`/node_modules/(?!${esModules}).+`]
};
