// The webcam: opening it, and taking small square pictures of it.

declare const CAMERA_WORKER: string;

/** Why there is no camera or microphone, as a key of the pages' texts. */
export type CameraTrouble = "denied" | "missing" | "busy" | "insecure";

export class CameraError extends Error {
  constructor(readonly trouble: CameraTrouble) {
    super(trouble);
  }
}

/** Opens the camera, and the microphone when `sound` says so. */
export async function openCamera(sound: boolean): Promise<MediaStream> {
  return open({
    video: { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 }, facingMode: "user" },
    audio: sound,
  });
}

/** Opens the microphone. */
export async function openMicrophone(): Promise<MediaStream> {
  return open({ audio: { echoCancellation: true, noiseSuppression: true } });
}

async function open(wanted: MediaStreamConstraints): Promise<MediaStream> {
  // Browsers hide the devices from pages that came over plain HTTP from another machine.
  if (!window.isSecureContext) throw new CameraError("insecure");
  try {
    return await navigator.mediaDevices.getUserMedia(wanted);
  } catch (error) {
    const name = error instanceof DOMException ? error.name : "";
    if (name === "NotFoundError" || name === "OverconstrainedError") throw new CameraError("missing");
    throw new CameraError(name === "NotAllowedError" ? "denied" : "busy");
  }
}

export function closeStream(stream: MediaStream | undefined): void {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

/** The largest square in the middle of a picture. */
export function middleSquare(width: number, height: number): { x: number; y: number; side: number } {
  const side = Math.min(width, height);
  return { x: (width - side) / 2, y: (height - side) / 2, side };
}

/** Takes JPEGs of what a camera sees. */
export class Grabber {
  #video = document.createElement("video");
  #worker = new Worker(CAMERA_WORKER, { type: "module" });
  #taken = -1;
  #encoded: (jpeg: Uint8Array) => void = () => {};

  /** Pictures are squares of `side` pixels; `onBeat` is called 30 times a second, in hidden pages too. */
  constructor(
    stream: MediaStream,
    private readonly side: number,
    onBeat: () => void,
  ) {
    this.#video.muted = true;
    this.#video.playsInline = true;
    this.#video.srcObject = stream;
    // Interrupted when the camera is closed before its first picture.
    this.#video.play().catch(() => {});
    this.#worker.onmessage = ({ data }: MessageEvent<"beat" | ArrayBuffer>) => {
      if (data === "beat") onBeat();
      else this.#encoded(new Uint8Array(data));
    };
  }

  /** Whether the camera has delivered a picture since the last one that was taken. */
  get fresh(): boolean {
    const { readyState, currentTime } = this.#video;
    return readyState >= HTMLMediaElement.HAVE_CURRENT_DATA && currentTime !== this.#taken;
  }

  /** One picture; ask for the next when it is there. */
  async take(): Promise<Uint8Array> {
    this.#taken = this.#video.currentTime;
    const { x, y, side } = middleSquare(this.#video.videoWidth, this.#video.videoHeight);
    const size = { resizeWidth: this.side, resizeHeight: this.side };
    const picture = await createImageBitmap(this.#video, x, y, side, side, size);
    return new Promise((resolve) => {
      this.#encoded = resolve;
      this.#worker.postMessage(picture, [picture]);
    });
  }

  close(): void {
    this.#worker.terminate();
    this.#video.srcObject = null;
  }
}
