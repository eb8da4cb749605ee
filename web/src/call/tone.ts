/** What a call sounds like while nobody has answered: made here, so that nothing needs to be loaded. */

/** `incoming` rings at who is called, `calling` is heard by who calls. */
export type Tone = 'incoming' | 'calling';

interface Pattern {
  /** Frequencies that sound together, in hertz, one list a note. */
  notes: number[][];
  /** How long each note lasts, in seconds. */
  noteSeconds: number;
  /** How long the whole takes with its silence, in seconds. */
  totalSeconds: number;
}

/** The ring-back is that of Korean telephone networks (ITU-T E.180, supplement 2): 440 and 480 Hz, 1 s on and 2 s off. */
const PATTERNS: Record<Tone, Pattern> = {
  incoming: { notes: [[659], [784], [988], [784]], noteSeconds: 0.22, totalSeconds: 2.4 },
  calling: { notes: [[440, 480]], noteSeconds: 1, totalSeconds: 3 },
};

/** How long a note takes to swell and to fade, in seconds: a hard edge clicks. */
const FADE_SECONDS = 0.02;

/** How loud: 1 is full. */
const LEVEL = 0.25;

/** One round of a tone as samples from -1 to 1, to be played again and again. */
export function samples(tone: Tone, rate: number): Float32Array<ArrayBuffer> {
  const { notes, noteSeconds, totalSeconds } = PATTERNS[tone];
  const round = new Float32Array(Math.round(totalSeconds * rate));
  notes.forEach((frequencies, index) => {
    const begin = Math.round(index * noteSeconds * rate);
    const length = Math.round(noteSeconds * rate);
    for (let at = 0; at < length; at++) {
      const edge = Math.min(at, length - at) / (FADE_SECONDS * rate);
      const sum = frequencies.reduce((all, hertz) => all + Math.sin((2 * Math.PI * hertz * at) / rate), 0);
      round[begin + at] = (LEVEL * Math.min(1, edge) * sum) / frequencies.length;
    }
  });
  return round;
}
