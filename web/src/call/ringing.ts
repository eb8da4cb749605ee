/** Rings while a call waits to be answered. A browser that lets nothing sound yet stays silent, and shakes all the same. */
import { samples, type Tone } from './tone';

/** A shake of the phone, in milliseconds: on, off, on; and how often. */
const SHAKE_MS = [400, 200, 400];
const SHAKE_EVERY_MS = 2_400;

let context: AudioContext | undefined;
let shaking: ReturnType<typeof setInterval> | undefined;

/** Rings so until told otherwise; `null` ends it. */
export function ring(tone: Tone | null): void {
  clearInterval(shaking);
  shaking = undefined;
  navigator.vibrate?.(0);
  void context?.close().catch(() => undefined);
  context = undefined;
  if (!tone) return;
  if (tone === 'incoming') {
    const shake = () => navigator.vibrate?.(SHAKE_MS);
    shake();
    shaking = setInterval(shake, SHAKE_EVERY_MS);
  }
  sound(tone);
}

function sound(tone: Tone): void {
  if (typeof AudioContext !== 'function') return;
  context = new AudioContext();
  const round = samples(tone, context.sampleRate);
  const buffer = context.createBuffer(1, round.length, context.sampleRate);
  buffer.copyToChannel(round, 0);
  const source = new AudioBufferSourceNode(context, { buffer, loop: true });
  source.connect(context.destination);
  source.start();
}
