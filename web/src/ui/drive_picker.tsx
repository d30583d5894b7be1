// Choosing what moves the portrait: a ready-made motion, a clip, or a recording of the webcam.

import { useState } from "preact/hooks";
import * as api from "../api/client";
import type { Drive, Info } from "../api/types";
import { useKept } from "../flow/kept";
import { useText } from "../text/language";
import { Choice } from "./choice";
import { Dropzone } from "./dropzone";
import { useLoad } from "./load";
import { size } from "./portrait";
import { Recorder } from "./recorder";
import { Trouble, TroubleLine } from "./trouble";

/** A drive, and how long it takes. */
export interface ChosenDrive {
  drive: Drive;
  seconds: number;
}

type Kind = "builtIn" | "clip" | "record";

interface DrivePickerProps {
  info: Info;
  chosen: ChosenDrive | undefined;
  onChange: (chosen: ChosenDrive | undefined) => void;
}

export function DrivePicker({ info, chosen, onChange }: DrivePickerProps) {
  const t = useText();
  const [kind, setKind] = useKept<Kind>("drive kind", "builtIn");
  const [reading, setReading] = useState(false);
  const [trouble, setTrouble] = useState<string>();
  const [error, setError] = useState<unknown>();
  const { loaded: motions, again } = useLoad(api.motions, []);

  const upload = async (file: Blob) => {
    setError(undefined);
    setTrouble(undefined);
    onChange(undefined);
    if (file.size > info.limits.clip_bytes) {
      setTrouble(t.portrait.tooLarge(size(file.size), size(info.limits.clip_bytes)));
      return;
    }
    setReading(true);
    try {
      const clip = await api.addClip(file);
      onChange({ drive: { clip: clip.id }, seconds: clip.seconds });
    } catch (refused) {
      setError(refused);
    } finally {
      setReading(false);
    }
  };

  const clip = chosen && "clip" in chosen.drive ? chosen : undefined;
  const motion = chosen && "motion" in chosen.drive ? chosen.drive.motion : undefined;

  return (
    <div class="drive">
      <Choice<Kind>
        legend={t.animate.motion}
        quiet
        tabs
        value={kind}
        onChange={setKind}
        options={[
          { value: "builtIn", label: t.animate.builtIn },
          { value: "clip", label: t.animate.clip },
          { value: "record", label: t.animate.record },
        ]}
      />
      {kind === "builtIn" && motions.state === "ready" && (
        <Choice
          legend={t.animate.builtIn}
          quiet
          value={motion}
          options={motions.value.map(({ name }) => ({ value: name, label: t.animate.motions[name] ?? name }))}
          onChange={(name) => {
            const seconds = motions.value.find((motion) => motion.name === name)?.seconds ?? 1;
            onChange({ drive: { motion: name }, seconds });
          }}
        />
      )}
      {kind === "builtIn" && motions.state === "failed" && <Trouble error={motions.error} again={again} />}
      {kind === "clip" && (
        <Dropzone
          icon="camera"
          invitation={t.animate.clipDrop}
          button={t.animate.clipFile}
          accept="video/*"
          busy={reading ? t.animate.clipReading : undefined}
          onFiles={([file]) => file && void upload(file)}
        />
      )}
      {kind === "record" && <Recorder onUse={(recording) => void upload(recording)} />}
      {kind === "record" && reading && <p role="status">{t.animate.clipReading}</p>}
      {kind !== "builtIn" && clip && !reading && (
        <p class="ready" role="status">
          {t.animate.clipReady(t.seconds(clip.seconds.toFixed(1)))}
        </p>
      )}
      {trouble && <TroubleLine line={trouble} />}
      {error !== undefined && <Trouble error={error} />}
    </div>
  );
}
