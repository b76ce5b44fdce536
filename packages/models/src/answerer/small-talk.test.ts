import { describe, expect, it } from '@jest/globals';
import { smallTalkOf } from './small-talk.js';

describe('small talk', () => {
  it.each([
    ['Hi Marta!', 'greeting'],
    ['hey there, how are you?', 'greeting'],
    ['Good morning 🌞', 'greeting'],
    ['thanks, that was great', 'thanks'],
    ['Thank you so much for the help!', 'thanks'],
    ['cool', 'thanks'],
    ['bye, see you later', 'goodbye'],
    ['who are you?', 'identity'],
    ['Are you a bot', 'identity'],
    ['am I talking to the real Marta?', 'identity'],
  ])('%s is %s', (message, kind) => expect(smallTalkOf(message, 'Marta Okkonen')).toBe(kind));

  it.each([
    'hi, how long does dough rest?',
    'is bread good for you?',
    'how do you say hello in Finnish?',
    'great bread needs what?',
    'what is the capital of Mongolia',
    'why?',
    '?',
    'नमस्ते कैसे',
  ])('%s is a question', (message) => expect(smallTalkOf(message, 'Marta Okkonen')).toBeNull());
});
