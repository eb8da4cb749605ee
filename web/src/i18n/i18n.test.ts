import { describe, expect, it } from 'vitest';
import { en } from './en';
import { fill } from './i18n.svelte';
import { ko } from './ko';

const placeholders = (text: string) => [...text.matchAll(/\{\w+\}/g)].map((match) => match[0]).sort();

describe('languages', () => {
  it('have the same keys', () => expect(Object.keys(ko).sort()).toEqual(Object.keys(en).sort()));

  it.each(Object.keys(en) as (keyof typeof en)[])('say %s in full and with the same values', (key) => {
    expect(ko[key].trim()).not.toBe('');
    expect(placeholders(ko[key])).toEqual(placeholders(en[key]));
  });
});

describe('fill', () => {
  it('puts values in', () => expect(fill('To {name}: {n}', { name: 'Minji', n: 3 })).toBe('To Minji: 3'));
  it('leaves unknown names', () => expect(fill('{what}')).toBe('{what}'));
});
