import type { Ref } from "preact";
import { useEffect, useRef } from "preact/hooks";

interface CameraViewProps {
  stream: MediaStream | undefined;
  label: string;
  video?: Ref<HTMLVideoElement>;
}

/** What the camera sees, as in a mirror, without its sound. */
export function CameraView({ stream, label, video }: CameraViewProps) {
  const own = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    if (own.current) own.current.srcObject = stream ?? null;
    if (video && typeof video === "object") video.current = own.current;
  }, [stream]);
  return <video ref={own} class="camera" autoplay muted playsInline aria-label={label} />;
}
