// The microphone as Opus packets of 20 ms, about 24 kbit/s.

import { closeStream, openMicrophone } from "../live/camera";

declare const CAPTURE_WORKLET: string;

const RATE = 48_000;
const BITS_A_SECOND = 24_000;

/** Whether this browser can encode and decode sound packets. */
export function soundWorks(): boolean {
  return "AudioEncoder" in window && "AudioDecoder" in window;
}

/** Opens the microphone and hands its packets to `onPacket` until the returned function is called. */
export async function startMicrophone(onPacket: (packet: Uint8Array) => void): Promise<() => void> {
  const stream = await openMicrophone();
  const context = new AudioContext({ sampleRate: RATE, latencyHint: "interactive" });
  const encoder = new AudioEncoder({
    output: (chunk) => {
      const packet = new Uint8Array(chunk.byteLength);
      chunk.copyTo(packet);
      onPacket(packet);
    },
    error: () => stop(),
  });
  const stop = (): void => {
    closeStream(stream);
    void context.close();
    if (encoder.state !== "closed") encoder.close();
  };
  try {
    encoder.configure({ codec: "opus", sampleRate: RATE, numberOfChannels: 1, bitrate: BITS_A_SECOND });
    await context.audioWorklet.addModule(CAPTURE_WORKLET);
  } catch (error) {
    stop();
    throw error;
  }
  const capture = new AudioWorkletNode(context, "capture", {
    numberOfOutputs: 0,
    channelCount: 1,
    channelCountMode: "explicit",
  });
  let samples = 0;
  capture.port.onmessage = ({ data }: MessageEvent<Float32Array<ArrayBuffer>>) => {
    if (encoder.state !== "configured") return;
    const timestamp = (samples / RATE) * 1_000_000;
    samples += data.length;
    const audio = new AudioData({
      format: "f32-planar",
      sampleRate: RATE,
      numberOfFrames: data.length,
      numberOfChannels: 1,
      timestamp,
      data,
    });
    encoder.encode(audio);
    audio.close();
  };
  context.createMediaStreamSource(stream).connect(capture);
  return () => {
    if (context.state !== "closed") stop();
  };
}
