/** A passage's own weight beside each neighbour's. */
const own = 2;

/**
 * A passage together with what stands around it, at no cost: the mean of its vector (twice) and its neighbours'. A dot product being
 * linear, the mean of the cosines is the same.
 */
export function contextScores(whole: Float32Array): Float32Array {
  return whole.map((value, at) => {
    const before = whole[at - 1];
    const after = whole[at + 1];
    const neighbours = (before === undefined ? 0 : 1) + (after === undefined ? 0 : 1);
    return (own * value + (before ?? 0) + (after ?? 0)) / (own + neighbours);
  });
}

/** The same as vectors, for an index that does its own dot products. Not of length 1. */
export function contextVectors(whole: readonly Float32Array[]): Float32Array[] {
  return whole.map((vector, at) => {
    const neighbours = [whole[at - 1], whole[at + 1]].filter((each) => each !== undefined);
    return vector.map((value, column) => {
      const around = neighbours.reduce((sum, neighbour) => sum + (neighbour[column] ?? 0), 0);
      return (own * value + around) / (own + neighbours.length);
    });
  });
}
