import type { Node } from './rehypeMarks.js';

/**
 * Each block of a reply runs the way of its own first letter: a reply may hold Arabic and English. What is inside a block (items, cells,
 * quoted paragraphs) goes with it.
 */
export function rehypeDirection() {
  return (tree: Node): void => {
    for (const block of tree.children ?? []) {
      if (block.tagName && block.tagName !== 'pre') block.properties = { ...block.properties, dir: 'auto' };
    }
  };
}
