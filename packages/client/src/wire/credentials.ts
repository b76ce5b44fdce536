/**
 * An access token or API key, or what gives one whenever it is asked. `refused` is the credential that a gateway has just refused with 401 or
 * closed a socket over (4401): a new one is wanted then. The same one again is taken as the end of trying.
 */
export type CredentialSource = string | ((refused: string | null) => string | Promise<string>);

/** Asks for the credential; many who were refused the same one at once ask once. */
export class Credentials {
  #renewing: { refused: string; answer: Promise<string> } | null = null;

  readonly #source: CredentialSource;

  constructor(source: CredentialSource) {
    // Private in earnest: a client printed to a log shows no secret.
    this.#source = source;
  }

  async get(): Promise<string> {
    return typeof this.#source === 'string' ? this.#source : this.#source(null);
  }

  renew(refused: string): Promise<string> {
    if (this.#renewing?.refused === refused) return this.#renewing.answer;
    const ask = async () => (typeof this.#source === 'string' ? this.#source : this.#source(refused));
    const answer = ask().finally(() => {
      if (this.#renewing?.answer === answer) this.#renewing = null;
    });
    this.#renewing = { refused, answer };
    return answer;
  }
}
