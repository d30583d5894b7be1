// One WebSocket session with the studio: camera pictures out, portraits and news back.
//
// Back-pressure: a picture is only taken while at most one other is unanswered, so nothing queues up on the way and
// what is sent is always the newest.

import type { LiveNews, LiveRequest } from "../api/types";
import { pack, type Packet, SOUND, unpack } from "./protocol";

/** Pictures that may be under way at once. */
const UNANSWERED = 2;
/** Milliseconds after which a picture that was not answered counts as lost: no face, or dropped for a newer one. */
const PATIENCE = 250;

export interface LiveEvents {
  onNews: (news: LiveNews) => void;
  onPicture: (packet: Packet) => void;
  onSound: (packet: Packet) => void;
  /** The connection ended, and not by `close`. */
  onEnd: () => void;
}

export class LiveSession {
  #socket: WebSocket;
  #sequence = 0;
  #underWay = new Map<number, number>();
  #ready = false;
  /** The own number in a call: only packets with it answer the own camera. */
  #participant: number | undefined;

  /** Opens a session at `url` and starts it with `start`. Packets of calls say whose they are. */
  constructor(url: string, start: LiveRequest, inCall: boolean, events: LiveEvents) {
    this.#socket = new WebSocket(url, "gioconda-live");
    this.#socket.binaryType = "arraybuffer";
    this.#socket.onopen = () => this.say(start);
    this.#socket.onclose = () => events.onEnd();
    this.#socket.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
      if (typeof data === "string") {
        const news = JSON.parse(data) as LiveNews;
        if (news.type === "ready") {
          this.#ready = true;
          this.#participant = news.participant;
        }
        events.onNews(news);
        return;
      }
      const packet = unpack(data, inCall);
      if (!packet) return;
      if (packet.sequence === SOUND) return events.onSound(packet);
      if (!inCall || packet.participant === this.#participant) this.#answered(packet.sequence);
      events.onPicture(packet);
    };
  }

  /** Whether a new picture may be sent now. */
  get hungry(): boolean {
    if (!this.#ready || this.#socket.readyState !== WebSocket.OPEN) return false;
    const now = performance.now();
    for (const [sequence, sent] of this.#underWay) if (now - sent > PATIENCE) this.#underWay.delete(sequence);
    return this.#underWay.size < UNANSWERED;
  }

  /** Sends a camera picture that was taken at `taken`, in milliseconds of the page's clock. */
  send(jpeg: Uint8Array, taken: number): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    const sequence = this.#sequence;
    this.#sequence = (sequence + 1) % SOUND;
    this.#underWay.set(sequence, performance.now());
    this.#socket.send(pack(sequence, taken, jpeg));
  }

  sendSound(packet: Uint8Array): void {
    if (this.#ready && this.#socket.readyState === WebSocket.OPEN) {
      this.#socket.send(pack(SOUND, performance.now(), packet));
    }
  }

  say(request: LiveRequest): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(request));
  }

  close(): void {
    this.#socket.onclose = null;
    this.#socket.onmessage = null;
    this.#socket.close();
  }

  /** An answer also settles everything sent before it. */
  #answered(sequence: number): void {
    for (const sent of this.#underWay.keys()) if (sent <= sequence) this.#underWay.delete(sent);
  }
}
