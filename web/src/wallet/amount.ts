/** The amount a person types, in minor units of a currency without any (the won). Pure. */
export const QUICK_AMOUNTS = [1_000, 5_000, 10_000, 50_000] as const;

/** More digits than anybody sends; the server has its own limit. */
export const LARGEST_AMOUNT = 9_999_999_999;

/** The amount after a digit key (or `00`) was pressed. */
export function withDigits(amount: number, digits: string): number {
  const next = Number(`${amount}${digits}`);
  return next > LARGEST_AMOUNT ? amount : next;
}

export function withoutLastDigit(amount: number): number {
  return Math.floor(amount / 10);
}

export function plus(amount: number, more: number): number {
  return Math.min(amount + more, LARGEST_AMOUNT);
}
