import { describe, expect, it } from '@jest/globals';
import type { HistoryLine, ModelRequest } from '../chat-model.js';
import { splitSentences } from '../sentences.js';
import { collectReply, makePassage, makeRequest } from '../testing/requests.js';
import { makeBuiltinAnswerer } from './builtin-answerer.js';

const starter = makePassage(
  'So welcome back to the show. Um, a sourdough starter is only flour and water that you keep at room temperature for about a week. ' +
    'Every day you throw half of it away and feed it with fresh flour. It is ready when it doubles within six hours. ' +
    'What do you do when it smells of nail polish? You feed it more often, because it is hungry. ' +
    'I keep mine in a jar beside the oven. On the third day it often looks dead, and that is when people give up.',
  { similarity: 0.71 },
);
const rye = makePassage(
  'Rye flour brings more wild yeast and more minerals than white flour. A starter with a spoon of rye wakes up a day earlier.',
  { source_id: 'source-2', title: 'All about rye', similarity: 0.58 },
);
const model = makeBuiltinAnswerer();

function ask(message: string, fields: Partial<ModelRequest> = {}) {
  return collectReply(model, makeRequest({ message, passages: [starter, rye], ...fields }));
}

describe('the built-in answerer', () => {
  it('quotes two to six sentences that answer, says that it quotes, and cites each letter for letter', async () => {
    const reply = await ask('How do I make a sourdough starter?');
    expect(reply.text).toMatch(
      /^Here is what I said about this in “Bread at home”, quoted: “A sourdough starter is only/,
    );
    expect(reply.citations.length).toBeGreaterThanOrEqual(2);
    expect(reply.citations.length).toBeLessThanOrEqual(6);
    for (const { passageIndex, quote } of reply.citations) {
      expect([starter, rye][passageIndex]?.text).toContain(quote);
    }
    expect(reply.text).not.toMatch(/welcome back|\bUm\b/);
    expect(reply.finish?.finish_reason).toBe('stop');
    expect(await ask('How do I make a sourdough starter?')).toEqual(reply);
  });

  it('never quotes an article’s own title, though it has the words of the question', async () => {
    const title = 'What a baker’s percentage means and why';
    const passages = [
      makePassage(
        `${title}\n\nEvery ingredient is weighed against the flour, which is one hundred percent. Water at 340 grams on 500 of flour is sixty-eight.`,
        {
          title,
          similarity: 0.7,
        },
      ),
    ];
    const reply = await ask('What does a baker’s percentage mean?', { passages });
    expect(reply.citations.length).toBeGreaterThan(0);
    for (const { quote } of reply.citations) expect(quote).not.toContain('baker’s percentage means');
  });

  it('does not claim to have looked where the material could not be searched', async () => {
    const reply = await ask('How do I make a sourdough starter?', { passages: [], materialUnavailable: true });
    expect(reply.text).toMatch(/cannot look through my material at the moment/);
    expect(reply.citations).toEqual([]);
  });

  it('sets each citation right after its sentence', async () => {
    const { pieces } = await ask('How do I make a sourdough starter?');
    let said = '';
    for (const piece of pieces) {
      if (piece.type === 'text') said += piece.text;
      if (piece.type === 'citation') expect(said).toMatch(/[.!?]”?$/);
    }
  });

  it('stays on the subject when asked for more, without saying the same again', async () => {
    const question = 'How do I make a sourdough starter?';
    const history: HistoryLine[] = [];
    const quotes: string[] = [];
    for (const message of [question, 'tell me more about that', 'why?']) {
      const reply = await ask(message, { history });
      if (reply.citations.length > 0) expect(reply.text).toMatch(/starter|feed|flour|jar|dead|smell/);
      quotes.push(...reply.citations.map(({ quote }) => quote));
      history.push({ role: 'fan', text: message }, { role: 'creator', text: reply.text });
    }
    expect(quotes.length).toBeGreaterThan(4);
    expect(new Set(quotes).size).toBe(quotes.length);
  });

  it('says so when it has said everything', async () => {
    const history: HistoryLine[] = [
      { role: 'fan', text: 'How do I make a sourdough starter?' },
      {
        role: 'creator',
        text: splitSentences(`${starter.text} ${rye.text}`)
          .map(({ text }) => text)
          .join(' '),
      },
    ];
    const reply = await ask('tell me more', { history });
    expect(reply).toMatchObject({ citations: [], text: expect.stringContaining('all I can find') });
  });

  it.each([
    ['what is the capital of Mongolia', 0.12],
    ['Who won the World Cup in 2018?', 0.2],
    ['which episode has Andrew Huberman on as a guest?', 0.4],
    ['what are the odds in blackjack', 0.41],
  ])('says honestly that the material has no answer: %s', async (message, similarity) => {
    const passages = [starter, rye].map((passage) => ({ ...passage, similarity }));
    const reply = await ask(message, { passages });
    expect(reply).toMatchObject({ citations: [], text: expect.stringContaining('did not find an answer') });
    expect(reply.finish?.finish_reason).toBe('stop');
  });

  it('quotes the closest and says that it may not be the answer when in doubt', async () => {
    const passages = [{ ...starter, similarity: 0.4 }];
    const reply = await ask('does a hungry sourdough pot frighten beginners and neighbours', { passages });
    expect(reply.text).toMatch(/^I am not sure I have answered exactly that/);
    expect(reply.citations.length).toBeGreaterThan(0);
  });

  it('judges by words alone when the vectors could not be used', async () => {
    const passages = [starter, rye].map((passage) => ({ ...passage, similarity: null }));
    expect((await ask('sourdough starter flour', { passages })).citations.length).toBeGreaterThan(0);
    expect((await ask('capital of Mongolia', { passages })).citations).toEqual([]);
  });

  it('greets, thanks and says what it is without citing', async () => {
    for (const message of ['Hello!', 'thanks a lot', 'who are you?', 'bye']) {
      expect((await ask(message)).citations).toEqual([]);
    }
    expect((await ask('who are you?')).text).toContain('Marta');
  });

  it('asks what is meant when nothing is named, and offers titles', async () => {
    const reply = await ask('tell me something');
    expect(reply).toMatchObject({ citations: [], text: expect.stringContaining('“All about rye”') });
  });

  it('has an answer for no passages at all, and ends when cancelled', async () => {
    expect((await ask('How do I bake?', { passages: [] })).citations).toEqual([]);
    await expect(collectReply(model, makeRequest(), AbortSignal.abort())).rejects.toMatchObject({ kind: 'aborted' });
  });
});
