import { markPattern } from '../model/citations.js';

/** The little of a hast tree that is needed here. */
interface Node {
  type: string;
  value?: string;
  tagName?: string;
  properties?: Record<string, unknown>;
  children?: Node[];
}

/** Turns the marks' place holders in text into elements. Runs after sanitising, which would drop an unknown element. */
export function rehypeMarks() {
  return (tree: Node): void => replaceMarks(tree);
}

function replaceMarks(node: Node): void {
  if (!node.children) return;
  node.children = node.children.flatMap((child) => {
    if (child.type === 'text' && child.value) return splitText(child.value);
    replaceMarks(child);
    return [child];
  });
}

function splitText(value: string): Node[] {
  // A split by a pattern with a group alternates text and numbers.
  return value.split(markPattern).flatMap((piece, at): Node[] => {
    if (at % 2 === 0) return piece === '' ? [] : [{ type: 'text', value: piece }];
    return [{ type: 'element', tagName: 'citation-mark', properties: { number: piece }, children: [] }];
  });
}
