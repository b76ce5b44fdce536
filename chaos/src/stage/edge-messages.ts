/** What is done to the network between two parts. */
export type EdgeAction =
  | { do: 'delay'; ms: number }
  | { do: 'hold' }
  | { do: 'throttle'; bytesPerSecond: number }
  | { do: 'refuse' }
  | { do: 'cut' }
  | { do: 'heal' };

export type EdgeRequest = { id: number } & (
  | { kind: 'open'; name: string; target: string }
  | { kind: 'act'; name: string; action: EdgeAction }
);

export type EdgeAnswer = { id: number } & ({ value: number } | { error: string });
