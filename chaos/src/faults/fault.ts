import type { Crowd } from '../fans/crowd.js';
import type { WireTap } from '../fans/wire-tap.js';
import type { Random } from '../random.js';
import type { Stage } from '../stage/stage.js';
import type { Claims } from '../work/claims.js';
import type { Crew } from './crew.js';

/** What a fault may use. */
export interface Scene {
  stage: Stage;
  crew: Crew;
  crowd: Crowd;
  tap: WireTap;
  claims: Claims;
  /** Of this one strike: the same in every run of the same seed. */
  random: Random;
  /** Turns accepted and not ended whenever a worker was killed. */
  inFlight: number[];
  /** Times from the kill of a gateway until a stream it carried was open again elsewhere, ms. */
  resumedMs: number[];
  /** The same for replies in the middle, until their next event. */
  heardAgainMs: number[];
}

/** What a strike met. `hit`: turns or streams that were under way where it struck; 0 is a fault that proves nothing. */
export interface Struck {
  hit: number;
}

export interface Fault {
  name: string;
  /** For the table: one line. */
  what: string;
  /** How often it is in a deck. One that strikes all the time is in none. */
  share: number;
  /** While it lasts nothing may be able to begin. */
  outage?: boolean;
  /** It needs a network that can fail between the parts. */
  network?: boolean;
  /** Injects it, heals it, and resolves when the next may strike; with several where several were struck at once. */
  strike(scene: Scene): Promise<Struck | Struck[]>;
}
