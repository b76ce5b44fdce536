import { migrate } from '@sidestage/store';
import { type FleetOptions, startTestParts } from '@sidestage/testkit';
import { type FleetStage, setFleetStage } from '../testing/fleet-stage.js';

/** A fleet on databases of its own for as long as `use` takes. */
export async function withStage(
  options: FleetOptions & { keys?: number },
  use: (stage: FleetStage) => Promise<void>,
): Promise<void> {
  const parts = await startTestParts({ migrate });
  try {
    const stage = await setFleetStage(options);
    try {
      await use(stage);
    } finally {
      await stage.close();
    }
  } finally {
    await parts.stop();
  }
}
