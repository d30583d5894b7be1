// What was made: to watch, to download, and what it says of itself.

import { credentials, jobFile } from "../api/client";
import type { AnimateResult } from "../api/types";
import { wantsLessMotion } from "../flow/motion_wish";
import { useText } from "../text/language";
import { Credentials } from "./credentials";
import { Icon } from "./icons";
import { useLoad } from "./load";
import { Trouble } from "./trouble";

export function Film({ job, result, name }: { job: string; result: AnimateResult; name: string }) {
  const t = useText();
  const { loaded, again } = useLoad(() => credentials(job), [job]);
  const label = name ? `${t.animate.watch}: ${name}` : t.animate.watch;
  return (
    <div class="film">
      <figure class="frame">
        {result.mime.startsWith("video/") ? (
          <video
            src={jobFile(job)}
            width={result.width}
            height={result.height}
            controls
            loop
            playsInline
            autoplay={!wantsLessMotion()}
            aria-label={label}
          />
        ) : (
          <img src={jobFile(job)} width={result.width} height={result.height} alt={label} />
        )}
        <figcaption>{t.madeByAi}</figcaption>
      </figure>
      <div class="about">
        <a class="button main" href={jobFile(job)} download={result.file}>
          <Icon name="download" />
          {t.animate.download}
        </a>
        {loaded.state === "loading" && <p role="status">{t.credentials.reading}</p>}
        {loaded.state === "failed" && <Trouble error={loaded.error} again={again} />}
        {loaded.state === "ready" && <Credentials finding={loaded.value} />}
      </div>
    </div>
  );
}
