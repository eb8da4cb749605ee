import { expect, it } from 'vitest';
import { fileName } from './export';

it.each([
  ['Picnic: a/b', 'Picnic a b.html'],
  ['김바다', '김바다.html'],
  ['...', '....html'],
  ['/', 'chat.html'],
])('makes %j into %j', (name, file) => expect(fileName(name)).toBe(file));
