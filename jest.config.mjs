const transform = (tsx) => ({
  jsc: {
    target: 'es2023',
    parser: { syntax: 'typescript', tsx },
    ...(tsx ? { transform: { react: { runtime: 'automatic' } } } : {}),
  },
  module: { type: 'es6' },
  sourceMaps: 'inline',
});

/** Tests of one kind. ESM throughout: run with NODE_OPTIONS=--experimental-vm-modules. */
const project = (displayName, testMatch, testPathIgnorePatterns = []) => ({
  displayName,
  testMatch,
  testPathIgnorePatterns: ['/node_modules/', '/dist/', ...testPathIgnorePatterns],
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts', '.tsx'],
  resolver: '<rootDir>/scripts/jest/resolver.cjs',
  modulePathIgnorePatterns: ['<rootDir>/.sidestage'],
  transform: { '^.+\\.ts$': ['@swc/jest', transform(false)], '^.+\\.tsx$': ['@swc/jest', transform(true)] },
});

/** Whole fleets and browsers: one at a time. */
const fleetTests = ['\\.fleet\\.test\\.ts$', '/e2e/'];

export default {
  globalSetup: '<rootDir>/scripts/jest/global-setup.mjs',
  globalTeardown: '<rootDir>/scripts/jest/global-teardown.mjs',
  testTimeout: 30_000,
  maxWorkers: 2,
  projects: [
    project('unit', ['<rootDir>/{packages/*,chaos}/src/**/*.test.{ts,tsx}'], fleetTests),
    project('service', ['<rootDir>/services/*/src/**/*.test.{ts,tsx}'], fleetTests),
    project('fleet', [
      '<rootDir>/{packages/*,services/*,chaos}/src/**/*.fleet.test.ts',
      '<rootDir>/services/*/src/e2e/**/*.test.ts',
    ]),
  ],
};
