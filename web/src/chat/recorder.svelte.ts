/** Records the person's voice with the microphone. */
import { barsOf } from './waveform';

const SAMPLE_EVERY_MS = 60;
const BARS = 48;
/** A longer note is better told in a call. */
export const LONGEST_MS = 5 * 60_000;
const KINDS = ['audio/webm;codecs=opus', 'audio/ogg;codecs=opus', 'audio/mp4'];

export interface Recording {
  file: Blob;
  durationMs: number;
  waveform: number[];
}

export class VoiceRecorder {
  /** How loud it is now, 0 to 1. */
  level = $state(0);
  lengthMs = $state(0);
  #recorder: MediaRecorder | undefined;
  #stream: MediaStream | undefined;
  #context: AudioContext | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #samples: number[] = [];
  #chunks: Blob[] = [];
  #closed = false;

  /** Asks for the microphone and begins. Fails when it is refused or there is none. */
  async start(): Promise<void> {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    // Given up while the browser asked.
    if (this.#closed) return stopTracks(stream);
    this.#stream = stream;
    const mimeType = KINDS.find((kind) => MediaRecorder.isTypeSupported(kind));
    this.#recorder = new MediaRecorder(stream, mimeType ? { mimeType } : undefined);
    this.#recorder.ondataavailable = ({ data }) => this.#chunks.push(data);
    this.#recorder.start(1_000);
    this.#measure(stream);
  }

  /** Ends the recording and returns it; nothing when there was none. */
  async finish(): Promise<Recording | null> {
    const recorder = this.#recorder;
    if (!recorder) return null;
    const durationMs = this.lengthMs;
    const stopped = new Promise((resolve) => (recorder.onstop = resolve));
    if (recorder.state !== 'inactive') recorder.stop();
    else recorder.onstop?.(new Event('stop'));
    await stopped;
    this.close();
    const type = recorder.mimeType.split(';')[0] || 'audio/webm';
    return { file: new Blob(this.#chunks, { type }), durationMs, waveform: barsOf(this.#samples, BARS) };
  }

  /** Lets go of the microphone. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    if (this.#recorder && this.#recorder.state !== 'inactive') this.#recorder.stop();
    if (this.#stream) stopTracks(this.#stream);
    void this.#context?.close().catch(() => undefined);
    this.#context = undefined;
    this.#stream = undefined;
  }

  #measure(stream: MediaStream): void {
    this.#context = new AudioContext();
    const analyser = this.#context.createAnalyser();
    analyser.fftSize = 512;
    this.#context.createMediaStreamSource(stream).connect(analyser);
    const values = new Float32Array(analyser.fftSize);
    const began = performance.now();
    this.#timer = setInterval(() => {
      analyser.getFloatTimeDomainData(values);
      const loudness = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
      this.level = Math.min(1, loudness * 4);
      this.lengthMs = Math.round(performance.now() - began);
      this.#samples.push(loudness);
    }, SAMPLE_EVERY_MS);
  }
}

function stopTracks(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}
