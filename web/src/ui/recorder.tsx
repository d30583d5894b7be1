// Recording a clip with the webcam: open, count down, record, look at it, use it.

import { useEffect, useRef, useState } from "preact/hooks";
import { closeStream, openCamera } from "../live/camera";
import { useText } from "../text/language";
import { CameraView } from "./camera_view";
import { Trouble } from "./trouble";

const MOST_SECONDS = 15;
const COUNTDOWN = 3;
/** Best first: MP4 tells the frames' times more exactly than WebM does. */
const FORMATS = ["video/mp4;codecs=avc1.42E01F,mp4a.40.2", "video/mp4;codecs=avc1.42E01F,opus", "video/mp4", "video/webm"];

type Stage =
  | { at: "closed" }
  | { at: "open"; stream: MediaStream }
  | { at: "counting"; stream: MediaStream; left: number }
  | { at: "recording"; stream: MediaStream; recorder: MediaRecorder; seconds: number }
  | { at: "recorded"; clip: Blob; address: string };

export function Recorder({ onUse }: { onUse: (clip: Blob) => void }) {
  const t = useText().recorder;
  const words = useText();
  const [stage, setStage] = useState<Stage>({ at: "closed" });
  const [error, setError] = useState<unknown>();
  const stream = "stream" in stage ? stage.stream : undefined;
  const latest = useRef(stage);
  latest.current = stage;
  const gone = useRef(false);

  useEffect(
    () => () => {
      gone.current = true;
      const last = latest.current;
      if ("stream" in last) closeStream(last.stream);
      if (last.at === "recorded") URL.revokeObjectURL(last.address);
    },
    [],
  );

  useEffect(() => {
    if (stage.at === "counting") {
      const beat = setTimeout(() => (stage.left > 1 ? setStage({ ...stage, left: stage.left - 1 }) : record(stage.stream)), 1_000);
      return () => clearTimeout(beat);
    }
    if (stage.at === "recording") {
      const beat = setTimeout(() => {
        if (stage.seconds + 1 >= MOST_SECONDS) stage.recorder.stop();
        else setStage({ ...stage, seconds: stage.seconds + 1 });
      }, 1_000);
      return () => clearTimeout(beat);
    }
    return undefined;
  }, [stage]);

  const open = async () => {
    setError(undefined);
    if (stage.at === "recorded") URL.revokeObjectURL(stage.address);
    try {
      const stream = await openCamera(true);
      if (gone.current) closeStream(stream);
      else setStage({ at: "open", stream });
    } catch (refused) {
      setStage({ at: "closed" });
      setError(refused);
    }
  };

  const record = (stream: MediaStream) => {
    const mimeType = FORMATS.find((format) => MediaRecorder.isTypeSupported(format)) ?? "";
    const recorder = new MediaRecorder(stream, { mimeType, videoBitsPerSecond: 4_000_000 });
    const parts: Blob[] = [];
    recorder.ondataavailable = (event) => parts.push(event.data);
    recorder.onstop = () => {
      closeStream(stream);
      const clip = new Blob(parts, { type: recorder.mimeType });
      setStage({ at: "recorded", clip, address: URL.createObjectURL(clip) });
    };
    recorder.start();
    setStage({ at: "recording", stream, recorder, seconds: 0 });
  };

  return (
    <div class="recorder">
      {error !== undefined && <Trouble error={error} again={() => void open()} />}
      {stream && <CameraView stream={stream} label={t.view} />}
      {stage.at === "recorded" && <video src={stage.address} class="camera" controls playsInline aria-label={t.ready} />}
      <p role="status">{status()}</p>
      <div class="row">{buttons()}</div>
    </div>
  );

  function status(): string {
    if (stage.at === "counting") return t.countdown(stage.left);
    if (stage.at === "recording") return t.running(words.seconds(String(stage.seconds)));
    return stage.at === "recorded" ? t.ready : t.hint(MOST_SECONDS);
  }

  function buttons() {
    switch (stage.at) {
      case "closed":
        return error === undefined && (
          <button type="button" onClick={() => void open()}>
            {t.open}
          </button>
        );
      case "open":
        return (
          <button type="button" onClick={() => setStage({ at: "counting", stream: stage.stream, left: COUNTDOWN })}>
            {t.start}
          </button>
        );
      case "counting":
        return (
          <button type="button" onClick={() => setStage({ at: "open", stream: stage.stream })}>
            {words.cancel}
          </button>
        );
      case "recording":
        return (
          <button type="button" onClick={() => stage.recorder.stop()}>
            {t.stop}
          </button>
        );
      case "recorded":
        return (
          <>
            <button type="button" onClick={() => onUse(stage.clip)}>
              {t.use}
            </button>
            <button type="button" class="quiet" onClick={() => void open()}>
              {t.again}
            </button>
          </>
        );
    }
  }
}
