import { describe, expect, it } from 'vitest';
import { LARGEST_AMOUNT, plus, withDigits, withoutLastDigit } from './amount';

describe('amount', () => {
  it('grows by digits', () => expect(['5', '0', '00'].reduce(withDigits, 0)).toBe(5000));
  it('has no leading zero', () => expect(['0', '00', '7'].reduce(withDigits, 0)).toBe(7));
  it('loses its last digit', () => expect([5000, 7, 0].map(withoutLastDigit)).toEqual([500, 0, 0]));
  it('stops at its limit', () => {
    expect(withDigits(LARGEST_AMOUNT, '9')).toBe(LARGEST_AMOUNT);
    expect(plus(LARGEST_AMOUNT, 1000)).toBe(LARGEST_AMOUNT);
  });
});
