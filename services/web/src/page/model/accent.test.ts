import { describe, expect, it } from '@jest/globals';
import { accentOf, contrast, initialsOf, tintOf } from './accent.js';

describe('accentOf', () => {
  it('reads on the ground and on its own tint in both themes, whatever the slug', () => {
    for (let index = 0; index < 200; index += 1) {
      const { light, dark } = accentOf(`creator-${index}`);
      for (const [accent, ground] of [
        [light, '#fbfaf8'],
        [dark, '#171614'],
      ] as const) {
        expect(contrast(accent, ground)).toBeGreaterThanOrEqual(4.5);
        expect(contrast(accent, tintOf(accent, ground))).toBeGreaterThanOrEqual(4.5);
      }
    }
  });

  it('is the same for the same slug', () => {
    expect(accentOf('marta-okkonen')).toEqual(accentOf('marta-okkonen'));
  });
});

describe('initialsOf', () => {
  it('takes the first and the last word that counts', () => {
    expect(['Marta Okkonen', 'Brain Science', 'The Loft', 'Åsa', '42'].map(initialsOf)).toEqual([
      'MO',
      'BS',
      'L',
      'Å',
      '4',
    ]);
  });
});
