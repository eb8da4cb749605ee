/**
 * Two people compare a row of pictures: when both see the same, nobody sits between them. One asks, the other
 * accepts; from then on both sides run alike.
 */
import type { MatrixClient } from 'matrix-js-sdk';
import type { ShowSasCallbacks, VerificationRequest, Verifier } from 'matrix-js-sdk/lib/crypto-api';
import { connection } from '../connection.svelte';

/** The library's numbers for how far a request is. */
const PHASE = { ready: 3, started: 4, cancelled: 5, done: 6 } as const;
const METHOD = 'm.sas.v1';
const RECEIVED = 'crypto.verificationRequestReceived';

export type Step = 'asking' | 'asked' | 'waiting' | 'comparing' | 'confirmed' | 'done' | 'cancelled';

class Verification {
  /** Whom it is with; empty when nothing goes on. */
  userId = $state('');
  step = $state<Step>('asking');
  pictures = $state.raw<[string, string][]>([]);
  /** Goes up each time somebody was verified, for those who show it. */
  finished = $state(0);
  #request: VerificationRequest | undefined;
  #verifier: Verifier | undefined;
  #sas: ShowSasCallbacks | undefined;

  constructor() {
    connection.whenClient((client) => this.#listen(client));
  }

  /** Asks the other person to compare. */
  async ask(userId: string): Promise<void> {
    const crypto = connection.client?.getCrypto();
    if (!crypto) return;
    const deviceId = (await unverifiedDevices(userId))[0];
    if (!deviceId) return;
    this.userId = userId;
    this.step = 'asking';
    try {
      this.#follow(await crypto.requestDeviceVerification(userId, deviceId), userId);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  async accept(): Promise<void> {
    this.step = 'waiting';
    await this.#request?.accept();
  }

  async same(): Promise<void> {
    this.step = 'confirmed';
    await this.#sas?.confirm();
  }

  different(): void {
    this.#sas?.mismatch();
    this.step = 'cancelled';
  }

  close(): void {
    const request = this.#request;
    const isOver = !request || request.phase === PHASE.done || request.phase === PHASE.cancelled;
    if (!isOver) void request.cancel().catch(() => undefined);
    this.#request = undefined;
    this.#verifier = undefined;
    this.#sas = undefined;
    this.userId = '';
    this.pictures = [];
  }

  #listen(client: MatrixClient): void {
    client.on(
      RECEIVED as never,
      ((request: VerificationRequest) => {
        // One at a time; whoever else asks can ask again.
        if (this.userId) return;
        this.userId = request.otherUserId;
        this.step = 'asked';
        this.#follow(request, request.otherUserId);
      }) as never,
    );
  }

  #follow(request: VerificationRequest, userId: string): void {
    this.#request = request;
    request.on('change' as never, (() => this.#changed(request)) as never);
    this.userId = userId;
    this.#changed(request);
  }

  #changed(request: VerificationRequest): void {
    if (request !== this.#request) return;
    if (request.phase === PHASE.ready && request.initiatedByMe && !this.#verifier) {
      this.step = 'waiting';
      request.startVerification(METHOD).then(
        (verifier) => this.#run(verifier),
        () => (this.step = 'cancelled'),
      );
    } else if (request.phase === PHASE.started && request.verifier) this.#run(request.verifier);
    else if (request.phase === PHASE.cancelled) this.step = 'cancelled';
    else if (request.phase === PHASE.done) this.#done();
  }

  #run(verifier: Verifier): void {
    if (this.#verifier) return;
    this.#verifier = verifier;
    const show = (sas: ShowSasCallbacks) => {
      this.#sas = sas;
      this.pictures = sas.sas.emoji ?? [];
      this.step = 'comparing';
    };
    verifier.on('show_sas' as never, show as never);
    const shown = verifier.getShowSasCallbacks();
    if (shown) show(shown);
    verifier.verify().then(
      () => this.#done(),
      () => {
        if (this.step !== 'done') this.step = 'cancelled';
      },
    );
  }

  #done(): void {
    if (this.step === 'done') return;
    this.step = 'done';
    this.finished += 1;
  }
}

/** The devices of a person that were never compared. */
export async function unverifiedDevices(userId: string): Promise<string[]> {
  const crypto = connection.client?.getCrypto();
  if (!crypto) return [];
  const devices = (await crypto.getUserDeviceInfo([userId], true)).get(userId);
  const open: string[] = [];
  for (const deviceId of devices?.keys() ?? []) {
    const status = await crypto.getDeviceVerificationStatus(userId, deviceId);
    if (!status?.isVerified()) open.push(deviceId);
  }
  return open;
}

/** Whether every device of a person was compared. Nobody without a device counts. */
export async function isVerified(userId: string): Promise<boolean> {
  const crypto = connection.client?.getCrypto();
  const devices = (await crypto?.getUserDeviceInfo([userId], true))?.get(userId);
  return devices !== undefined && devices.size > 0 && !(await unverifiedDevices(userId)).length;
}

export const verification = new Verification();
