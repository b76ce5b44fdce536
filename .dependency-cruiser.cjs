/** Each package with the packages it may import, lowest first. A service may import all of them. */
const ARROWS = {
  contracts: [],
  embedded: [],
  testkit: ['contracts', 'embedded'],
  runtime: ['contracts'],
  store: ['contracts', 'runtime'],
  turns: ['contracts', 'runtime', 'store'],
  models: ['contracts', 'runtime'],
  client: ['contracts'],
};
const packageNames = Object.keys(ARROWS);
/** Tests and what only they use. */
const TESTS = '(\\.test\\.tsx?$|/testing/|/test-support/|/e2e/)';

const packageRules = packageNames.map((name) => {
  const allowed = [name, ...ARROWS[name]].join('|');
  return {
    name: `arrow-${name}`,
    comment: `packages/${name} may import ${ARROWS[name].join(', ') || 'no other package of ours'}`,
    severity: 'error',
    from: { path: `^packages/${name}/src/`, pathNot: TESTS },
    to: { path: '^packages/', pathNot: `^packages/(${allowed})/` },
  };
});

module.exports = {
  forbidden: [
    ...packageRules,
    {
      name: 'unknown-package',
      comment: 'a new package needs its line in ARROWS',
      severity: 'error',
      from: { path: '^packages/', pathNot: `^packages/(${packageNames.join('|')})/` },
      to: {},
    },
    {
      name: 'contracts-are-a-leaf',
      comment: 'packages/contracts imports zod and nothing else',
      severity: 'error',
      from: { path: '^packages/contracts/src/', pathNot: TESTS },
      to: { pathNot: '^packages/contracts/|/zod/' },
    },
    {
      name: 'packages-import-no-service',
      severity: 'error',
      from: { path: '^packages/' },
      to: { path: '^services/' },
    },
    {
      name: 'chaos-imports-packages-only',
      comment: 'the fault campaign sees a fleet from outside, and nothing imports it',
      severity: 'error',
      from: { path: '^chaos/' },
      to: { path: '^services/' },
    },
    {
      name: 'nothing-imports-chaos',
      severity: 'error',
      from: { path: '^(packages|services)/' },
      to: { path: '^chaos/' },
    },
    {
      name: 'services-import-no-service',
      severity: 'error',
      from: { path: '^services/([^/]+)/' },
      to: { path: '^services/', pathNot: '^services/$1/' },
    },
    {
      name: 'only-tests-use-the-testkit',
      severity: 'error',
      from: { path: '^(packages|services)/', pathNot: `${TESTS}|^packages/testkit/|/bench/` },
      to: { path: '^packages/testkit/' },
    },
    {
      name: 'only-main-imports-run',
      comment: 'run.ts is wiring: nothing but main.ts, tests and benches imports it',
      severity: 'error',
      from: { path: '^services/', pathNot: `/main\\.ts$|/bench/|${TESTS}` },
      to: { path: '^services/[^/]+/src/run\\.ts$' },
    },
    { name: 'no-cycle', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'resolves',
      comment: 'an import that leads nowhere, or to a package that is not in package.json',
      severity: 'error',
      from: { pathNot: TESTS },
      to: { couldNotResolve: true },
    },
  ],
  options: {
    // TypeScript 7 has no parser a program can use.
    parser: 'swc',
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules|/dist/' },
    // Its swc cannot read JSX; the page's components are checked by their own type check.
    exclude: { path: '\\.tsx$|/dist/[^/]+\\.test\\.js$' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'default'],
      mainFields: ['module', 'main'],
      extensions: ['.ts', '.tsx', '.js', '.mjs', '.cjs', '.json', '.css'],
    },
  },
};
