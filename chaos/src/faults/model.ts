import { setTimeout as sleep } from 'node:timers/promises';
import type { ModelBehaviour } from '@sidestage/testkit';
import { usualModel } from '../stage/stage.js';
import type { Fault } from './fault.js';
import { interrupt } from './interrupt.js';

/** The next replies go wrong: few enough that each turn has tries left. */
function modelFault(name: string, what: string, replies: number, behaviour: ModelBehaviour): Fault {
  return {
    name: `model-${name}`,
    what: `${what}, ${replies} replies`,
    share: 1,
    async strike(scene) {
      const { hit } = await interrupt(scene, async () => {
        await scene.stage.model.next(...Array.from({ length: replies }, () => ({ ...usualModel, ...behaviour })));
        await sleep(1_500);
      });
      return { hit: Math.min(replies, hit) };
    },
  };
}

export const modelFaults: Fault[] = [
  modelFault('500', 'the model answers 500', 8, { status: 500 }),
  modelFault('503', 'the model answers 503', 8, { status: 503 }),
  modelFault('429', 'the model answers 429 and asks for two seconds', 8, { status: 429, retryAfterSeconds: 2 }),
  modelFault('hang', 'the model does not answer', 2, { hang: true }),
  modelFault('stall', 'the model stops in the middle', 2, { stallAfterWords: 9 }),
  modelFault('cut', 'the connection is cut in the middle', 8, { cut: { atByte: 900 } }),
  modelFault('clean-cut', 'the stream ends in the middle as if it were whole', 8, {
    cut: { atByte: 900, clean: true },
  }),
  modelFault('malformed', 'a chunk is no JSON', 8, { malformedAfterWords: 9 }),
  modelFault('no-finish', 'no finish reason ever comes', 8, { finish: 'missing' }),
];
