import { describe, expect, it } from '@jest/globals';
import { aboutHowLong, groupByDay, ordinal } from './days.js';

describe('groupByDay', () => {
  it('stands newest first under the names of days', () => {
    const now = new Date(2026, 5, 12, 12).getTime();
    const times = [new Date(2026, 5, 11, 23), new Date(2026, 5, 12, 1), new Date(2026, 5, 9), new Date(2025, 1, 3)];
    const groups = groupByDay(times, (time) => time.getTime(), now);
    expect(groups.map((group) => group.day)).toEqual(['Today', 'Yesterday', 'Tuesday', 'February 3, 2025']);
  });
});

it('says places and times as a person would', () => {
  expect([1, 2, 3, 11, 14, 22].map(ordinal)).toEqual(['1st', '2nd', '3rd', '11th', '14th', '22nd']);
  expect([900, 4000, 19_600, 200_000].map(aboutHowLong)).toEqual([
    'about 1 second',
    'about 4 seconds',
    'about 20 seconds',
    'about 3 minutes',
  ]);
});
