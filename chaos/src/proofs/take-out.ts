import { readMechanisms } from './mechanisms.js';
import { runNamedTest } from './named-test.js';
import { copyTree } from './tree-copy.js';

/** Long enough to fail, and not as long as it takes a worker without its mechanisms to answer the short campaign's turns. */
const controlCampaign = [
  '--minutes',
  '2',
  '--faults',
  'worker-kill,redis-kill,redis-wipe,redis-freeze,postgres-backends',
];

/**
 * Takes out one mechanism after the other in a copy of the project: the test that is named for it has to be green before, and red without.
 * @param names only these; empty for all
 * @returns false where one was not
 */
export async function proveMechanisms(names: readonly string[]): Promise<boolean> {
  const all = readMechanisms().mechanisms;
  const chosen = names.length === 0 ? all : all.filter(({ name }) => names.includes(name));
  const unknown = names.filter((name) => !all.some((one) => one.name === name));
  if (unknown.length > 0)
    throw new Error(`no mechanism ${unknown.join(', ')}; there are: ${all.map(({ name }) => name).join(', ')}`);
  const copy = copyTree();
  let proven = true;
  try {
    for (const { name, what, edits, test } of chosen) {
      const before = await runNamedTest(copy, test);
      const takeBack = await copy.change(edits);
      const without = await runNamedTest(copy, test);
      await takeBack();
      const good = before === 'passed' && without === 'failed';
      proven &&= good;
      console.log(`  ${good ? 'proven' : 'NOT PROVEN'}  ${name}: ${what}\n          ${test.file} › ${test.name}`);
      if (!good) console.log(`          with it: ${before}, without it: ${without}`);
    }
  } finally {
    copy.remove();
  }
  return proven;
}

/**
 * The negative control: the campaign on a worker as the queue library's defaults make it, without fence and sweeper.
 * @returns true where it failed, as it has to
 */
export async function runControl(args: readonly string[]): Promise<boolean> {
  const copy = copyTree();
  try {
    await copy.change(readMechanisms().control);
    const campaign = args.length > 0 ? args : controlCampaign;
    const { code } = await copy.node(['--enable-source-maps', 'chaos/dist/main.js', ...campaign], { show: true });
    return code === 1;
  } finally {
    copy.remove();
  }
}
