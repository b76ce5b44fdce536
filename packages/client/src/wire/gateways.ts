/** The gateways that serve the same fleet. All tries go to one of them until it fails. */
export class Gateways {
  readonly #urls: readonly string[];
  #index = 0;

  /** @throws TypeError when there is none, or one is not an http(s) address */
  constructor(url: string | readonly string[]) {
    this.#urls = (typeof url === 'string' ? [url] : url).map((each) => {
      if (!/^https?:\/\//.test(each)) throw new TypeError(`url: ${each} does not begin with http:// or https://`);
      return each.replace(/\/+$/, '');
    });
    if (this.#urls.length === 0) throw new TypeError('url: names no gateway');
  }

  get count(): number {
    return this.#urls.length;
  }

  get current(): string {
    return this.#urls[this.#index] ?? '';
  }

  /** Moves on to the next, unless somebody else who failed at `url` did so already. */
  failed(url: string): void {
    if (url === this.current) this.#index = (this.#index + 1) % this.#urls.length;
  }
}
