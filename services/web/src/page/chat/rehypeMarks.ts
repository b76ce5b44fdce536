import { markPattern } from '../model/citations.js';

/** The little of a hast tree that is needed here. */
export interface Node {
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
  const nodes: Node[] = [];
  value.split(markPattern).forEach((piece, at) => {
    if (at % 2 === 0) {
      if (piece !== '') nodes.push({ type: 'text', value: piece });
    } else addMark(nodes, piece);
  });
  return nodes;
}

/** A mark never begins a line of its own: it holds on to the word before it. */
function addMark(nodes: Node[], number: string): void {
  const mark: Node = { type: 'element', tagName: 'citation-mark', properties: { number }, children: [] };
  const last = nodes.at(-1);
  if (last?.tagName === 'span') {
    last.children?.push(mark);
    return;
  }
  const word = last?.type === 'text' ? (last.value?.match(/\S{1,24}$/)?.[0] ?? '') : '';
  if (!last || word === '') {
    nodes.push(mark);
    return;
  }
  last.value = last.value?.slice(0, -word.length);
  const children: Node[] = [{ type: 'text', value: word }, mark];
  nodes.push({ type: 'element', tagName: 'span', properties: { className: 'unbroken' }, children });
}
