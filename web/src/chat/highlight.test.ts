import { expect, it } from 'vitest';
import { excerptOf, piecesOf } from './highlight';

const shape = (text: string, words: string) =>
  piecesOf(text, words).map((piece) => (piece.found ? `<${piece.text}>` : piece.text));

it('marks every place', () => expect(shape('Noon at noon', 'noon')).toEqual(['<Noon>', ' at ', '<noon>']));
it('marks inside Hangul words', () => expect(shape('점심시간', '심시')).toEqual(['점', '<심시>', '간']));
it('takes signs as they are', () => expect(shape('a.b', '.')).toEqual(['a', '<.>', 'b']));
it('marks each of several words, the longer where two begin', () =>
  expect(shape('rice and cakes, riceball', 'cakes rice riceball')).toEqual([
    '<rice>',
    ' and ',
    '<cakes>',
    ', ',
    '<riceball>',
  ]));
it('cuts what comes long before', () => {
  expect(excerptOf('a'.repeat(100) + 'noon', 'Noon', 5)).toBe('…aaaaanoon');
  expect(excerptOf('at noon', 'noon', 5)).toBe('at noon');
});
it('leaves the rest alone', () => {
  expect(shape('abc', '')).toEqual(['abc']);
  expect(shape('', 'x')).toEqual([]);
  expect(shape('İx', 'x')).toEqual(['İx']);
});
