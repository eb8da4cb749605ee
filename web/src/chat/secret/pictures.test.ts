import { expect, it } from 'vitest';
import { pictureName, PICTURES } from './pictures';

it('names all 64, each by a name of its own', () => {
  expect(PICTURES).toHaveLength(64);
  expect(new Set(PICTURES.map((name) => pictureName(name, 'ko'))).size).toBe(64);
});
it('falls back to what it is given', () => expect(pictureName('Sofa', 'ko')).toBe('Sofa'));
