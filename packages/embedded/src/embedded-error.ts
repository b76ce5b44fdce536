/** A part could not be had or started. `why` and `mend` are for a person at a terminal. */
export class EmbeddedError extends Error {
  constructor(
    message: string,
    readonly why: string,
    /** The command or the step that mends it. */
    readonly mend: string,
  ) {
    super(`${message}: ${why}`);
    this.name = 'EmbeddedError';
  }
}
