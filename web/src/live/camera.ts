// The webcam: opening it, and taking small square pictures of it.

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
  #canvas: OffscreenCanvas;
  #taken = -1;

  constructor(
    stream: MediaStream,
    private readonly side: number,
  ) {
    this.#canvas = new OffscreenCanvas(side, side);
    this.#video.muted = true;
    this.#video.playsInline = true;
    this.#video.srcObject = stream;
    void this.#video.play();
  }

  /** Whether the camera has delivered a picture since the last one that was taken. */
  get fresh(): boolean {
    const { readyState, currentTime } = this.#video;
    return readyState >= HTMLMediaElement.HAVE_CURRENT_DATA && currentTime !== this.#taken;
  }

  async take(): Promise<Uint8Array> {
    this.#taken = this.#video.currentTime;
    const { x, y, side } = middleSquare(this.#video.videoWidth, this.#video.videoHeight);
    const context = this.#canvas.getContext("2d", { alpha: false });
    context?.drawImage(this.#video, x, y, side, side, 0, 0, this.side, this.side);
    const blob = await this.#canvas.convertToBlob({ type: "image/jpeg", quality: 0.8 });
    return new Uint8Array(await blob.arrayBuffer());
  }

  close(): void {
    this.#video.srcObject = null;
  }
}
