// Runs in the audio thread: collects the microphone's samples into packets of 20 ms.

declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(name: string, processor: new () => AudioWorkletProcessor): void;

/** 20 ms at 48 kHz, a frame of Opus. */
const PACKET = 960;

class Capture extends AudioWorkletProcessor {
  #packet = new Float32Array(PACKET);
  #filled = 0;

  process(inputs: Float32Array[][]): boolean {
    const samples = inputs[0]?.[0];
    for (const sample of samples ?? []) {
      this.#packet[this.#filled++] = sample;
      if (this.#filled === PACKET) {
        this.port.postMessage(this.#packet, [this.#packet.buffer]);
        this.#packet = new Float32Array(PACKET);
        this.#filled = 0;
      }
    }
    return true;
  }
}

registerProcessor("capture", Capture);
