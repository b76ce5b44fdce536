/** Tests of one kind. ESM throughout: run with NODE_OPTIONS=--experimental-vm-modules. */
const project = (displayName, testMatch, testPathIgnorePatterns = []) => ({
  displayName,
  testMatch,
  testPathIgnorePatterns: ['/node_modules/', '/dist/', ...testPathIgnorePatterns],
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts', '.tsx'],
  resolver: '<rootDir>/scripts/jest/resolver.cjs',
  modulePathIgnorePatterns: ['<rootDir>/.sidestage'],
  transform: {
    '^.+\\.tsx?$': [
      '@swc/jest',
      {
        jsc: {
          target: 'es2023',
          parser: { syntax: 'typescript', tsx: false, decorators: false },
        },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
});

const fleetTests = '\\.fleet\\.test\\.ts$';

export default {
  globalSetup: '<rootDir>/scripts/jest/global-setup.mjs',
  globalTeardown: '<rootDir>/scripts/jest/global-teardown.mjs',
  testTimeout: 30_000,
  maxWorkers: 2,
  projects: [
    project('unit', ['<rootDir>/packages/*/src/**/*.test.ts'], [fleetTests]),
    project('service', ['<rootDir>/services/*/src/**/*.test.ts'], [fleetTests]),
    project('fleet', ['<rootDir>/{packages,services}/*/src/**/*.fleet.test.ts']),
  ],
};
