import { join } from 'node:path';
import { z } from 'zod';
import { readJsonFile, writePrivateFile } from '../private-files.js';

const account = z.object({ email: z.string(), password: z.string() });

const demoSchema = z.object({
  gateway: z.string(),
  api_keys: z.object({ free: z.string(), premium: z.string(), enterprise: z.string() }),
  operator: account,
  creator: account,
  fan: account,
  tenant_id: z.string(),
  creators: z.array(z.object({ id: z.string(), slug: z.string(), name: z.string() })),
});
/** `.sidestage/demo.json`: addresses and credentials of the demo, readable by us alone. */
export type Demo = z.infer<typeof demoSchema>;

const stateSchema = z.object({
  tenant_id: z.string(),
  operator: account,
  creator: account,
  fan: account,
  complete: z.boolean(),
});
/** How far the demo has got, so that a start that was cut short is continued by the next and a finished one is left alone. */
export type DemoState = z.infer<typeof stateSchema>;

const demoPath = (dataDir: string): string => join(dataDir, 'demo.json');
const statePath = (dataDir: string): string => join(dataDir, 'demo-state.json');

export const readDemo = (dataDir: string): Demo | undefined => readJsonFile(demoPath(dataDir), demoSchema);
export const readDemoState = (dataDir: string): DemoState | undefined => readJsonFile(statePath(dataDir), stateSchema);

export function writeDemo(dataDir: string, demo: Demo): void {
  writePrivateFile(demoPath(dataDir), `${JSON.stringify(demo, null, 2)}\n`);
}

export function writeDemoState(dataDir: string, state: DemoState): void {
  writePrivateFile(statePath(dataDir), `${JSON.stringify(state, null, 2)}\n`);
}
