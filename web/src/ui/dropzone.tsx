// Where files are dropped, or chosen with a button.

import { useId, useRef, useState } from "preact/hooks";
import { useText } from "../text/language";
import { Icon, type IconName } from "./icons";

interface DropzoneProps {
  icon: IconName;
  /** What to drop. */
  invitation: string;
  /** The button's words. */
  button: string;
  hint?: string;
  accept: string;
  several?: boolean;
  busy?: string | undefined;
  onFiles: (files: File[]) => void;
}

export function Dropzone({ icon, invitation, button, hint, accept, several, busy, onFiles }: DropzoneProps) {
  const t = useText();
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);

  const take = (files: FileList | null | undefined) => {
    const chosen = [...(files ?? [])].slice(0, several ? undefined : 1);
    if (chosen.length > 0 && !busy) onFiles(chosen);
    // The same file may be chosen again after an error.
    if (input.current) input.current.value = "";
  };

  return (
    <div
      class={over ? "dropzone over" : "dropzone"}
      aria-busy={busy !== undefined}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        take(event.dataTransfer?.files);
      }}
    >
      {busy === undefined ? (
        <>
          <Icon name={icon} />
          <p class="invitation">{invitation}</p>
          <p class="or">{t.portrait.or}</p>
          <input
            ref={input}
            id={id}
            class="file"
            type="file"
            accept={accept}
            multiple={several ?? false}
            onChange={(event) => take(event.currentTarget.files)}
          />
          <label for={id} class="button">
            {button}
          </label>
          {hint && <p class="hint">{hint}</p>}
        </>
      ) : (
        <p class="working" role="status">
          {busy}
        </p>
      )}
    </div>
  );
}
