import { describe, expect, it } from 'vitest';
import { forReading, toE164 } from './phone';

describe('toE164', () => {
  it.each([
    ['010-1234-5678', '+821012345678'],
    ['010 1000 0001', '+821010000001'],
    ['+82 10-1000-0001', '+821010000001'],
    ['+44 20 7946 0958', '+442079460958'],
    ['0044 20 7946 0958', '+442079460958'],
    ['010-1234-5678', '+821012345678'],
  ])('reads %s', (typed, wanted) => expect(toE164(typed)).toBe(wanted));

  it.each(['', '12', 'hello', '010-12', '+0 123 456 789', '9'.repeat(20), '+8210<script>'])(
    'refuses %j',
    (typed) => expect(toE164(typed)).toBeNull(),
  );
});

describe('forReading', () => {
  it('shows a home number as people write it', () =>
    expect(forReading('+821012345678')).toBe('010-1234-5678'));
  it('leaves others alone', () => expect(forReading('+442079460958')).toBe('+442079460958'));
});
