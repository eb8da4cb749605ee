import { expect, it } from 'vitest';
import { partsOf } from './links';

const shape = (text: string) => partsOf(text).map((part) => (part.link ? `<${part.text}>` : part.text));

it('finds addresses in a sentence', () =>
  expect(shape('See https://haechi.kr/a?b=1. Now!')).toEqual([
    'See ',
    '<https://haechi.kr/a?b=1>',
    '. Now!',
  ]));
it('leaves other schemes alone', () => expect(shape('javascript:alert(1)')).toEqual(['javascript:alert(1)']));
it('keeps plain text', () => expect(shape('안녕')).toEqual(['안녕']));
it('bears nothing', () => expect(shape('')).toEqual([]));
