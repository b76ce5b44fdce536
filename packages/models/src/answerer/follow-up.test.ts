import { describe, expect, it } from '@jest/globals';
import type { HistoryLine } from '../chat-model.js';
import { isFollowUp, makeRetrievalQuery } from './follow-up.js';

const history: HistoryLine[] = [
  { role: 'fan', text: 'hi!' },
  { role: 'creator', text: 'Hi.' },
  { role: 'fan', text: 'How do I start a sourdough culture?' },
  { role: 'creator', text: 'Flour and water.' },
];

describe('a follow-up', () => {
  it.each([
    'tell me more about that',
    'why?',
    'and what else?',
    'Can you explain?',
    'really?',
    'what about rye?',
    'is it hard?',
    'how long does it take',
    'go on',
    'more',
  ])('is told: %s', (message) => expect(isFollowUp(message)).toBe(true));

  it.each([
    'How do I shape a baguette?',
    'What do you think about salt in dough?',
    'is it hard to learn the piano',
    'best flour for pizza',
  ])('is told from a question of its own: %s', (message) => expect(isFollowUp(message)).toBe(false));
});

describe('the retrieval query', () => {
  it('of a vague follow-up is the subject of the question before', () => {
    expect(makeRetrievalQuery(history, 'tell me more about that')).toBe('How do I start a sourdough culture?');
    expect(makeRetrievalQuery(history, 'why?')).toBe('How do I start a sourdough culture?');
  });

  it('of a follow-up with words of its own holds both', () => {
    const query = makeRetrievalQuery(history, 'and with rye?');
    expect(query).toBe('How do I start a sourdough culture? and with rye?');
    const later: HistoryLine[] = [
      ...history,
      { role: 'fan', text: 'and with rye?' },
      { role: 'creator', text: 'Yes.' },
    ];
    expect(makeRetrievalQuery(later, 'tell me more')).toBe(query);
  });

  it('of a question of its own, a greeting or the first message is the message', () => {
    expect(makeRetrievalQuery(history, 'How do I shape a baguette?')).toBe('How do I shape a baguette?');
    expect(makeRetrievalQuery(history, 'thanks!')).toBe('thanks!');
    expect(makeRetrievalQuery([], ' why? ')).toBe('why?');
  });

  it('stays short under a long conversation', () => {
    const long: HistoryLine[] = Array.from({ length: 50 }, () => ({ role: 'fan', text: `and ${'rye '.repeat(500)}` }));
    expect(makeRetrievalQuery(long, 'why?').length).toBeLessThan(700);
  });
});
