import { expect, it } from 'vitest';
import { moved, STILL, swiped, zoomed } from './pinch';

it('zooms around the point that is held', () =>
  expect(zoomed(STILL, 2, { x: 100, y: 0 })).toEqual({ scale: 2, x: -100, y: 0 }));
it('zooms neither out of the frame nor without end', () => {
  expect(zoomed({ scale: 1.2, x: 5, y: 5 }, 0.5, { x: 0, y: 0 })).toEqual(STILL);
  expect(zoomed(STILL, 100, { x: 0, y: 0 }).scale).toBe(5);
});
it('moves no further than the edge', () => {
  const frame = { width: 100, height: 200 };
  expect(moved({ scale: 2, x: 0, y: 0 }, { x: 500, y: -500 }, frame)).toEqual({ scale: 2, x: 50, y: -100 });
  expect(moved(STILL, { x: 9, y: 9 }, frame)).toEqual(STILL);
});
it('knows swipes from slips', () => {
  expect(swiped({ x: -90, y: 10 })).toBe('next');
  expect(swiped({ x: 90, y: 10 })).toBe('previous');
  expect(swiped({ x: 5, y: 150 })).toBe('close');
  expect(swiped({ x: 20, y: 20 })).toBe(null);
});
