import type { TransportKind } from './types.js';

/** How long a road that led nowhere is left alone while another one does, ms. A socket that opens by itself is taken up at once. */
const restMs = 300_000;
/** Tries in a row that brought not one byte before a road counts as leading nowhere. */
const patience = 2;

/** What all conversations of a client have learnt about the roads from here. */
export class RoadMap {
  #restingUntil = new Map<TransportKind, number>();
  #barren = new Map<TransportKind, number>();

  isUsable(kind: TransportKind): boolean {
    return (this.#restingUntil.get(kind) ?? 0) <= performance.now();
  }

  rest(kind: TransportKind): void {
    this.#restingUntil.set(kind, performance.now() + restMs);
    this.#barren.delete(kind);
  }

  works(kind: TransportKind): void {
    this.#restingUntil.delete(kind);
    this.#barren.delete(kind);
  }

  /** One try brought nothing. @returns whether that was one too many */
  barren(kind: TransportKind): boolean {
    const tries = (this.#barren.get(kind) ?? 0) + 1;
    this.#barren.set(kind, tries);
    return tries >= patience;
  }
}

/** Which road a conversation's next try takes: the most preferred of those that have not just led nowhere. */
export class Ladder {
  /** @param transports in order of preference, at least one */
  constructor(
    private readonly transports: readonly TransportKind[],
    private readonly map: RoadMap,
  ) {}

  get current(): TransportKind {
    const [first = 'ws'] = this.transports;
    return this.transports.find((kind) => this.map.isUsable(kind)) ?? first;
  }

  has(kind: TransportKind): boolean {
    return this.transports.includes(kind);
  }

  /** `kind` does not get through. Where nothing else does either, all of them get another chance. */
  failed(kind: TransportKind): void {
    this.map.rest(kind);
    if (!this.transports.some((each) => this.map.isUsable(each))) {
      for (const each of this.transports) this.map.works(each);
    }
  }

  /** A try by `kind` brought not one byte. */
  barren(kind: TransportKind): void {
    if (this.map.barren(kind)) this.failed(kind);
  }

  /** `kind` gets through. */
  works(kind: TransportKind): void {
    this.map.works(kind);
  }
}
