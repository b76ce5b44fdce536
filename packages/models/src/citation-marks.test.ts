import { describe, expect, it } from '@jest/globals';
import { makeMarkReader } from './citation-marks.js';
import { makeQuoteFinder } from './quote.js';
import { collectPieces, makeRequest } from './testing/requests.js';

const { passages } = makeRequest();

function read(...chunks: string[]) {
  const reader = makeMarkReader(makeQuoteFinder(passages, 'rest'), passages.length);
  return collectPieces([...chunks.flatMap((chunk) => reader.push(chunk)), ...reader.end()]);
}

describe('citation marks', () => {
  it('become citations that quote the passage letter for letter', () => {
    const reply = read('The dough rests for four hours [1]. Salt makes the yeast slower [2].');
    expect(reply.text).toBe('The dough rests for four hours. Salt makes the yeast slower.');
    expect(reply.citations).toEqual([
      { type: 'citation', passageIndex: 0, quote: 'The dough rests for four hours at room temperature.' },
      { type: 'citation', passageIndex: 1, quote: 'Salt slows the yeast down.' },
    ]);
  });

  it('stand after the sentence they support, whichever side of the full stop the model sets them', () => {
    for (const said of ['Let it rest [1]. Then bake.', 'Let it rest. [1] Then bake.', 'Let it rest.[1] Then bake.']) {
      const { pieces } = read(said);
      const at = pieces.findIndex((piece) => piece.type === 'citation');
      expect(collectPieces(pieces.slice(0, at)).text).toBe('Let it rest.');
      expect(collectPieces(pieces).text).toBe('Let it rest. Then bake.');
    }
  });

  it('are found wherever the stream is cut, in two or in three', () => {
    const said = 'Rest it well [1, 2]. Use salt 【2】! Say [this] and [2024] and a list [passage 1]\nover.';
    const whole = read(said);
    expect(whole.text).toBe('Rest it well. Use salt! Say [this] and [2024] and a list\nover.');
    expect(whole.citations.length).toBeGreaterThanOrEqual(2);
    for (let first = 0; first <= said.length; first += 1) {
      for (let second = first; second <= said.length; second += 7) {
        const cut = read(said.slice(0, first), said.slice(first, second), said.slice(second));
        expect({ text: cut.text, citations: cut.citations }).toEqual({ text: whole.text, citations: whole.citations });
      }
    }
    expect(read(...said)).toMatchObject({ text: whole.text, citations: whole.citations });
  });

  it('that name no passage are dropped', () => {
    expect(read('Nobody knows [7]. Or [0] or [12, 99].')).toMatchObject({
      text: 'Nobody knows. Or or.',
      citations: [],
    });
  });

  it('cite several passages and ranges, each quote once', () => {
    const reply = read('It rests for hours and salt slows the yeast [1-2]. It rests for hours [1][1].');
    expect(reply.citations.map(({ passageIndex }) => passageIndex)).toEqual([0, 1]);
  });

  it('inside code are code', () => {
    const said = 'Take `list[1]` or\n```\nrow[2] = 1\n```\nand rest it [1].';
    const reply = read(...said);
    expect(reply.text).toBe('Take `list[1]` or\n```\nrow[2] = 1\n```\nand rest it.');
    expect(reply.citations).toHaveLength(1);
  });

  it('leave no white space behind at the ends of the reply', () => {
    expect(read('\n  Rest it. [1] \n').text).toBe('Rest it.');
  });

  it('the reply ends in the middle of are left out; other brackets are text', () => {
    for (const cut of ['[', '[1', '[12, ', '[[1', '[[1]', '[passage 2', '[^1', '【1', '【']) {
      expect(read(`It rests ${cut}`).text).toBe('It rests');
    }
    for (const whole of ['[sic', 'a < b', 'a <', '[sic]', '[2024', '<b>', '[1985, 86']) {
      expect(read(`It rests ${whole}`).text).toBe(`It rests ${whole}`);
    }
  });

  it('doubled or with a name of their own are marks too', () => {
    for (const doubled of ['[[1]]', '【1†source】', '[ source 1 ]', '[#1]']) {
      expect(read(...`The dough rests for four hours ${doubled}. Yes.`)).toMatchObject({
        text: 'The dough rests for four hours. Yes.',
        citations: [{ passageIndex: 0 }],
      });
    }
  });

  it('before any words support nothing', () => {
    expect(read('[1] "Bread at home", from 0:12')).toMatchObject({ text: '"Bread at home", from 0:12', citations: [] });
  });

  it('with a wrong number lead to the passage the sentence clearly comes from, if there is one', () => {
    expect(read('Salt slows the yeast down, I found [1].').citations).toMatchObject([
      { passageIndex: 1, quote: 'Salt slows the yeast down.' },
    ]);
    expect(read('Geduld ist alles [1].').citations).toMatchObject([{ passageIndex: 0 }]);
  });

  it('leave, and the tags of the prompt with them, wherever the stream is cut', () => {
    const said =
      '<material>\n[1] "Bread"\n</material> Rest it < 4 hours [1]. <material x="1"> Then `<material>` is < code.</ma';
    const whole = read(said);
    expect(whole.text).toBe('"Bread"\nRest it < 4 hours. Then `<material>` is < code.');
    for (let at = 0; at <= said.length; at += 1) {
      expect(read(said.slice(0, at), said.slice(at)).text).toBe(whole.text);
    }
    expect(read(...said).text).toBe(whole.text);
  });
});
