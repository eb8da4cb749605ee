/** Zooming and swiping a picture with fingers, mouse and wheel. Pure: from what the hand does to where the picture is. */

export interface Place {
  scale: number;
  x: number;
  y: number;
}

export const STILL: Place = { scale: 1, x: 0, y: 0 };
export const SCALE_MAX = 5;

/** Zooms by `factor` around a point, given from the middle of the frame. */
export function zoomed(place: Place, factor: number, at: { x: number; y: number }): Place {
  const scale = Math.min(SCALE_MAX, Math.max(1, place.scale * factor));
  if (scale === 1) return STILL;
  const change = scale / place.scale;
  return { scale, x: at.x - (at.x - place.x) * change, y: at.y - (at.y - place.y) * change };
}

/** Moves a zoomed picture, no further than its edge. */
export function moved(
  place: Place,
  by: { x: number; y: number },
  frame: { width: number; height: number },
): Place {
  const limit = (size: number) => ((place.scale - 1) * size) / 2;
  const clamp = (value: number, most: number) => Math.min(most, Math.max(-most, value));
  return {
    scale: place.scale,
    x: clamp(place.x + by.x, limit(frame.width)),
    y: clamp(place.y + by.y, limit(frame.height)),
  };
}

/** What a swipe over a picture that is not zoomed means. */
export function swiped(by: { x: number; y: number }): 'next' | 'previous' | 'close' | null {
  const [across, down] = [Math.abs(by.x), Math.abs(by.y)];
  if (across > 60 && across > down * 1.5) return by.x < 0 ? 'next' : 'previous';
  return by.y > 110 && down > across * 1.5 ? 'close' : null;
}
