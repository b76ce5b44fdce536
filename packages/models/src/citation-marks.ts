import type { ModelPiece } from './chat-model.js';
import type { QuoteFinder } from './quote.js';
import { splitSentences } from './sentences.js';

/** `[2]`, `[1, 3]`, `[1-3]`, `[^2]`, `[passage 2]`, `[[2]]`, and the same in 【】, there also `【2†source】`. A year or a word in brackets is text. */
const mark =
  /(?:\[\s*(?:\^|#|passages?\s*|sources?\s*)?\d{1,3}(?:\s*[,;\-–]\s*\d{1,3})*\s*\]|\[\[\s*\d{1,3}(?:\s*[,;\-–]\s*\d{1,3})*\s*\]\]|【\s*(?:passages?\s*|sources?\s*)?\d{1,3}(?:\s*[,;\-–]\s*\d{1,3})*\s*(?:†[^\]】\n]{0,40})?】)/iy;
const markBeginning =
  /(?:\[\[?[\s\d,;\-–^#a-z]{0,30}|\[\[[\s\d,;\-–]{1,30}\]|【[\s\d,;\-–a-z]{0,30}(?:†[^\]】\n]{0,40})?)$/iy;
/** A mark the reply ended in the middle of. */
const markCut =
  /(?:\[\[?|【)\s*(?:\^|#|passages?\s*|sources?\s*)?(?:\d{1,3}(?:\s*[,;\-–]\s*\d{1,3})*\s*[,;\-–]?\s*\]?)?$/iy;
/** The tags of the prompt's data channel: a model that repeats them does not mean them for a fan. */
const channelTag = /<\s*\/?\s*material\b[^>\n]{0,80}>/iy;
const channelTagBeginning = /<\s*\/?\s*(?:m(?:a(?:t(?:e(?:r(?:i(?:a(?:l(?:\b[^>\n]{0,80})?)?)?)?)?)?)?)?)?$/iy;
const closing = /^[.,;:!?…)\]"'”’»。！？]+/;

export interface MarkReader {
  /** The next words of the model → what is certain by now. */
  push(text: string): ModelPiece[];
  /** The model has finished: what was held back. */
  end(): ModelPiece[];
  /** Sentences said so far and whether any was cited. */
  readonly said: string;
  readonly citations: number;
}

/**
 * Takes citation marks, and what a model repeats of the prompt's tags, out of streamed text and gives each a verbatim quote of the passage it names, for the sentence just said. A possible
 * beginning of a mark is held back until it is decided, also when the stream cuts through it; so is white space before one. A mark that
 * names no passage is dropped, one inside code is text, and the same quote is cited once.
 */
export function makeMarkReader(quotes: QuoteFinder, passageCount: number): MarkReader {
  let held = '';
  let space = '';
  let said = '';
  let afterMark = false;
  let afterTag = false;
  let waiting: ModelPiece[] = [];
  let citations = 0;
  const cited = new Set<string>();
  const code = makeCodeTracker();

  function say(text: string, pieces: ModelPiece[]): void {
    if (text === '') return;
    let rest = text;
    if (afterMark) {
      const punctuation = closing.exec(rest)?.[0] ?? '';
      emit(punctuation, pieces);
      rest = rest.slice(punctuation.length);
      if (rest === '') return;
      pieces.push(...waiting);
      waiting = [];
      afterMark = false;
      if (/^\s/.test(rest)) space = '';
    }
    const words = rest.trim();
    const lead = rest.slice(0, rest.length - rest.trimStart().length);
    space += lead;
    if (words === '') return;
    emit((afterTag ? oneBreak(space) : space) + words, pieces);
    afterTag = false;
    space = rest.slice(lead.length + words.length);
  }

  function emit(text: string, pieces: ModelPiece[]): void {
    const visible = said === '' ? text.trimStart() : text;
    if (visible === '') return;
    said += visible;
    pieces.push({ type: 'text', text: visible });
  }

  function cite(text: string): void {
    // Before any words there is nothing it could support.
    if (said === '') return;
    afterMark = true;
    const sentence = splitSentences(said.slice(-1_200)).at(-1)?.text ?? '';
    for (const index of passagesNamed(text, passageCount)) {
      const found = quotes.forMark(index, sentence);
      if (!found || cited.has(`${found.passageIndex}\n${found.quote}`)) continue;
      cited.add(`${found.passageIndex}\n${found.quote}`);
      citations += 1;
      waiting.push({ type: 'citation', passageIndex: found.passageIndex, quote: found.quote });
    }
  }

  function read(text: string, atEnd: boolean): ModelPiece[] {
    const pieces: ModelPiece[] = [];
    let at = 0;
    while (at < text.length) {
      const opening = nextOpening(text, at);
      code.pass(text.slice(at, opening));
      say(text.slice(at, opening), pieces);
      at = opening;
      if (at === text.length) break;
      const { whole, begun } = code.inside ? asText : findAt(text, at, atEnd);
      if (whole !== null) {
        if (text.charAt(at) === '<') afterTag = true;
        else cite(whole);
        at += whole.length;
      } else if (begun) {
        held = atEnd ? '' : text.slice(at);
        return pieces;
      } else {
        say(text.charAt(at), pieces);
        at += 1;
      }
    }
    held = '';
    return pieces;
  }

  return {
    push: (text) => read(held + text, false),
    end: () => [...read(held, true), ...waiting.splice(0)],
    get said() {
      return said;
    },
    get citations() {
      return citations;
    },
  };
}

/** What a tag stood between: its line breaks, two at most, or one blank. */
function oneBreak(space: string): string {
  return space.replace(/[^\n]/g, '').slice(0, 2) || space.slice(0, 1);
}

interface Taken {
  /** A mark or a tag that begins here. */
  whole: string | null;
  /** What stands here to the end may become one; at the end of the reply, was one. */
  begun: boolean;
}

const asText: Taken = { whole: null, begun: false };

function findAt(text: string, at: number, atEnd: boolean): Taken {
  const isTag = text.charAt(at) === '<';
  const beginning = isTag ? channelTagBeginning : atEnd ? markCut : markBeginning;
  return {
    whole: matchAt(isTag ? channelTag : mark, text, at),
    // A lone "<" at the end of a reply is a sign of its own.
    begun: matchAt(beginning, text, at) !== null && !(isTag && atEnd && text.length - at === 1),
  };
}

function nextOpening(text: string, from: number): number {
  for (let at = from; at < text.length; at += 1) {
    const character = text.charAt(at);
    if (character === '[' || character === '【' || character === '<') return at;
  }
  return text.length;
}

function matchAt(pattern: RegExp, text: string, at: number): string | null {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? null;
}

function passagesNamed(text: string, passageCount: number): number[] {
  const named = new Set<number>();
  for (const [, first = '', last] of text.replace(/†.*/, '').matchAll(/(\d+)(?:\s*[-–]\s*(\d+))?/g)) {
    const from = Number(first);
    const to = last === undefined ? from : Math.min(Number(last), from + 9);
    for (let number = from; number <= to; number += 1) {
      if (number >= 1 && number <= passageCount) named.add(number - 1);
    }
  }
  return [...named];
}

/** Inside backticks `list[1]` is code. An inline backtick that is never closed ends with its line. */
function makeCodeTracker(): { pass(text: string): void; readonly inside: boolean } {
  let fenced = false;
  let inline = false;
  let ticks = 0;
  const endRun = () => {
    if (ticks >= 3) fenced = !fenced;
    else if (ticks > 0 && !fenced) inline = !inline;
    ticks = 0;
  };
  return {
    pass(text) {
      for (const character of text) {
        if (character === '`') {
          ticks += 1;
          continue;
        }
        endRun();
        if (character === '\n') inline = false;
      }
    },
    get inside() {
      const open = ticks > 0 ? (ticks >= 3 ? !fenced : fenced || !inline) : fenced || inline;
      return open;
    },
  };
}
