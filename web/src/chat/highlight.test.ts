import { expect, it } from 'vitest';
import { piecesOf } from './highlight';

const shape = (text: string, words: string) =>
  piecesOf(text, words).map((piece) => (piece.found ? `<${piece.text}>` : piece.text));

it('marks every place', () => expect(shape('Noon at noon', 'noon')).toEqual(['<Noon>', ' at ', '<noon>']));
it('marks inside Hangul words', () => expect(shape('점심시간', '심시')).toEqual(['점', '<심시>', '간']));
it('takes signs as they are', () => expect(shape('a.b', '.')).toEqual(['a', '<.>', 'b']));
it('leaves the rest alone', () => {
  expect(shape('abc', '')).toEqual(['abc']);
  expect(shape('', 'x')).toEqual([]);
  expect(shape('İx', 'x')).toEqual(['İx']);
});
