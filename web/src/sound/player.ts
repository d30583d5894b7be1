// Plays sound packets as they come, one after the other, a little late so that small delays are not heard.

const RATE = 48_000;
const PACKET_MICROSECONDS = 20_000;
/** Seconds between a packet's arrival and its sound when nothing waits. */
const CUSHION = 0.06;
/** Seconds of waiting sound beyond which packets are left out to catch up. */
const TOO_LATE = 0.3;

export class Player {
  #context = new AudioContext({ sampleRate: RATE, latencyHint: "interactive" });
  #decoder = this.#startDecoder();
  #next = 0;
  #packets = 0;

  /** Plays an Opus packet. */
  play(packet: Uint8Array): void {
    if (this.#context.state === "closed") return;
    // A broken packet ends a decoder; the next packet gets a new one.
    if (this.#decoder.state === "closed") this.#decoder = this.#startDecoder();
    const timestamp = this.#packets++ * PACKET_MICROSECONDS;
    this.#decoder.decode(new EncodedAudioChunk({ type: "key", timestamp, data: packet }));
  }

  close(): void {
    if (this.#decoder.state !== "closed") this.#decoder.close();
    if (this.#context.state !== "closed") void this.#context.close();
  }

  #startDecoder(): AudioDecoder {
    const decoder = new AudioDecoder({
      output: (audio) => {
        this.#schedule(audio);
        audio.close();
      },
      error: () => {},
    });
    decoder.configure({ codec: "opus", sampleRate: RATE, numberOfChannels: 1 });
    return decoder;
  }

  #schedule(audio: AudioData): void {
    const now = this.#context.currentTime;
    if (this.#next - now > TOO_LATE) return;
    const buffer = this.#context.createBuffer(1, audio.numberOfFrames, audio.sampleRate);
    audio.copyTo(buffer.getChannelData(0), { planeIndex: 0, format: "f32-planar" });
    const source = this.#context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.#context.destination);
    const at = this.#next > now ? this.#next : now + CUSHION;
    source.start(at);
    this.#next = at + buffer.duration;
  }
}
