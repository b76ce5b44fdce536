/** What fans of the stage's creator ask. */
export const questions = [
  'Is my starter dead when there is grey liquid on top?',
  'How do I know that the bulk fermentation is over?',
  'What temperature is right for the dough?',
  'How much salt goes into a loaf?',
  'Why is my crumb so dense?',
  'Can I keep the starter in the fridge?',
  'How often should I feed it?',
  'What does the float test tell me?',
] as const;
