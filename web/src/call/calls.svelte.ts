/** Calls of two, by Matrix's `m.call` events over WebRTC. One at a time. */
import type { MatrixCall } from 'matrix-js-sdk/lib/webrtc/call';
import { connection } from '../chat/connection.svelte';
import { t } from '../i18n/i18n.svelte';
import { notices } from '../ui/notices.svelte';
import { ring } from './ringing';

export type CallStage = 'incoming' | 'calling' | 'connecting' | 'talking';

const STAGES: Record<string, CallStage> = {
  ringing: 'incoming',
  connecting: 'connecting',
  connected: 'talking',
};

class Calls {
  /** This browser can call at all. */
  readonly possible = typeof RTCPeerConnection === 'function' && navigator.mediaDevices !== undefined;
  roomId = $state('');
  stage = $state<CallStage | null>(null);
  video = $state(false);
  muted = $state(false);
  cameraOff = $state(false);
  mine = $state.raw<MediaStream | null>(null);
  theirs = $state.raw<MediaStream | null>(null);
  /** When the talk began, milliseconds UTC; 0 before. */
  since = $state(0);
  #call: MatrixCall | null = null;

  /** Begins to listen for calls. */
  start(): void {
    if (!this.possible) return;
    connection.whenClient((client) => {
      client.on('Call.incoming' as never, ((call: MatrixCall) => this.#ring(call)) as never);
    });
  }

  async place(roomId: string, video: boolean): Promise<void> {
    if (this.#call) return;
    const call = connection.client?.createCall(roomId);
    if (!call) return notices.say(t('call.impossible'));
    this.#take(call, 'calling', video);
    try {
      await (video ? call.placeVideoCall() : call.placeVoiceCall());
    } catch {
      this.#fail(call);
    }
  }

  async answer(): Promise<void> {
    const call = this.#call;
    if (!call || this.stage !== 'incoming') return;
    this.#enter('connecting');
    try {
      await call.answer(true, this.video);
    } catch {
      this.#fail(call);
    }
  }

  /** Declines, gives up or ends, whichever it is. */
  hangUp(): void {
    const call = this.#call;
    if (!call) return;
    if (this.stage === 'incoming') call.reject();
    else call.hangup('user_hangup' as never, false);
    this.#over(call);
  }

  async toggleMuted(): Promise<void> {
    this.muted = (await this.#call?.setMicrophoneMuted(!this.muted)) ?? this.muted;
  }

  async toggleCamera(): Promise<void> {
    this.cameraOff = (await this.#call?.setLocalVideoMuted(!this.cameraOff)) ?? this.cameraOff;
  }

  #ring(call: MatrixCall): void {
    // Whoever calls while another call goes on hears that it does not work now.
    if (this.#call) return call.reject();
    this.#take(call, 'incoming', call.type === 'video');
  }

  #take(call: MatrixCall, stage: CallStage, video: boolean): void {
    this.#call = call;
    this.roomId = call.roomId;
    this.#enter(stage);
    this.video = video;
    this.muted = false;
    this.cameraOff = false;
    const on = (name: string, listener: () => void) =>
      call.on(name as never, (() => this.#call === call && listener()) as never);
    on('state', () => this.#changed(call));
    on('feeds_changed', () => this.#feeds(call));
    on('hangup', () => this.#over(call));
    on('error', () => this.#fail(call));
  }

  /** A stage, with what it sounds like. */
  #enter(stage: CallStage | null): void {
    if (stage === this.stage) return;
    this.stage = stage;
    ring(stage === 'incoming' || stage === 'calling' ? stage : null);
  }

  #changed(call: MatrixCall): void {
    if (call.state === 'ended') return this.#over(call);
    const stage = STAGES[call.state];
    if (stage && !(stage === 'incoming' && this.stage !== 'incoming')) this.#enter(stage);
    if (stage === 'talking') this.since ||= Date.now();
    this.#feeds(call);
  }

  #feeds(call: MatrixCall): void {
    this.mine = call.localUsermediaStream ?? null;
    this.theirs = call.remoteUsermediaStream ?? null;
  }

  #fail(call: MatrixCall): void {
    if (this.#call !== call) return;
    notices.say(t('call.failed'));
    if (call.state !== 'ended') call.hangup('user_hangup' as never, false);
    this.#over(call);
  }

  #over(call: MatrixCall): void {
    if (this.#call !== call) return;
    this.#call = null;
    this.#enter(null);
    this.roomId = '';
    this.mine = null;
    this.theirs = null;
    this.since = 0;
  }
}

export const calls = new Calls();
