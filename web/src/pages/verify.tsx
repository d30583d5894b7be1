// What a file says of its own origin.

import { useState } from "preact/hooks";
import * as api from "../api/client";
import type { Finding, Info } from "../api/types";
import { useText } from "../text/language";
import { Credentials } from "../ui/credentials";
import { Dropzone } from "../ui/dropzone";
import { size } from "../ui/portrait";
import { Trouble, TroubleLine } from "../ui/trouble";

type Stage =
  | { at: "empty" }
  | { at: "reading"; name: string }
  | { at: "found"; name: string; finding: Finding }
  | { at: "refused"; line: string }
  | { at: "failed"; error: unknown };

export function Verify({ info }: { info: Info }) {
  const t = useText();
  const [stage, setStage] = useState<Stage>({ at: "empty" });

  const read = async ([file]: File[]) => {
    if (!file) return;
    if (file.size > info.limits.clip_bytes) {
      setStage({ at: "refused", line: t.portrait.tooLarge(size(file.size), size(info.limits.clip_bytes)) });
      return;
    }
    setStage({ at: "reading", name: file.name });
    try {
      setStage({ at: "found", name: file.name, finding: await api.verify(file) });
    } catch (error) {
      setStage({ at: "failed", error });
    }
  };

  return (
    <article class="verify narrow">
      <header class="opening">
        <h1 tabIndex={-1}>{t.verify.title}</h1>
        <p class="lead">{t.verify.lead}</p>
      </header>
      {stage.at === "found" && (
        <section aria-live="polite">
          <h2 class="filename">{stage.name}</h2>
          <Credentials finding={stage.finding} />
        </section>
      )}
      {stage.at === "refused" && <TroubleLine line={stage.line} />}
      {stage.at === "failed" && <Trouble error={stage.error} />}
      <Dropzone
        icon="question"
        invitation={t.verify.drop}
        button={stage.at === "found" ? t.verify.another : t.verify.file}
        accept="image/*,video/*"
        busy={stage.at === "reading" ? t.verify.reading(stage.name) : undefined}
        onFiles={(files) => void read(files)}
      />
    </article>
  );
}
