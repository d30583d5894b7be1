import { secondsLeft, share } from "../api/jobs";
import type { Job } from "../api/types";
import { useText } from "../text/language";

/** How far a queued or running job is, with a button that stops it. */
export function JobProgress({ job, title, onStop }: { job: Job; title: string; onStop: () => void }) {
  const t = useText();
  const part = share(job);
  const left = secondsLeft(job);
  return (
    <section class="progress" aria-label={title}>
      <h2>{title}</h2>
      {part === undefined ? <progress aria-label={title} /> : <progress aria-label={title} value={part} max={1} />}
      <p class="working" role="status">
        {line()}
        {left !== undefined && left >= 1 && <span class="soft">, {t.job.left(t.seconds(left.toFixed(0)))}</span>}
      </p>
      <button type="button" class="quiet" onClick={onStop}>
        {t.animate.stop}
      </button>
    </section>
  );

  function line(): string {
    if (job.state === "queued") return t.job.queued(job.position);
    if (part === undefined) return t.job.starting;
    if (job.kind === "learn") return t.job.steps(job.done, job.total);
    return t.job.progress(`${Math.round(100 * part)} %`, (job.frames_per_second ?? 0).toFixed(0));
  }
}
