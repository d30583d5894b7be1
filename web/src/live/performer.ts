// Somebody before a camera who moves a portrait: camera and session together.

import type { LiveRequest } from "../api/types";
import { closeStream, Grabber, openCamera } from "./camera";
import { type LiveEvents, LiveSession } from "./session";

/** Side of the camera's pictures: enough for the face, and a few kilobytes each. */
const SIDE = 320;

export interface Stage {
  /** Address of the WebSocket. */
  url: string;
  start: LiveRequest;
  inCall: boolean;
  events: LiveEvents;
}

export class Performer {
  #stream: MediaStream;
  #grabber: Grabber;
  #session: LiveSession | undefined;
  #taking = false;

  /** Opens the camera; throws a `CameraError` where there is none to be had. */
  static async open(): Promise<Performer> {
    return new Performer(await openCamera(false));
  }

  private constructor(stream: MediaStream) {
    this.#stream = stream;
    this.#grabber = new Grabber(stream, SIDE, () => void this.#beat());
  }

  get stream(): MediaStream {
    return this.#stream;
  }

  get session(): LiveSession | undefined {
    return this.#session;
  }

  /** Steps on a stage, leaving the one before. */
  enter({ url, start, inCall, events }: Stage): void {
    this.#session?.close();
    this.#session = new LiveSession(url, start, inCall, events);
  }

  close(): void {
    this.#session?.close();
    this.#grabber.close();
    closeStream(this.#stream);
  }

  async #beat(): Promise<void> {
    const session = this.#session;
    if (!session?.hungry || this.#taking || !this.#grabber.fresh) return;
    this.#taking = true;
    const taken = performance.now();
    try {
      session.send(await this.#grabber.take(), taken);
    } finally {
      this.#taking = false;
    }
  }
}
