import { expect, it } from 'vitest';
import { hueOf, initialsOf } from './avatar';

it.each([
  ['김준호', '준호'],
  ['Minji Kim', 'MK'],
  ['joon', 'J'],
  ['👨‍👩‍👧 family', '👨‍👩‍👧F'],
  ['  ', '?'],
])('takes the letters of %j', (name, wanted) => expect(initialsOf(name)).toBe(wanted));

it('keeps the colour of an id', () => expect(hueOf('@a:b')).toBe(hueOf('@a:b')));
