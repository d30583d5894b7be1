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
      <p class="heard" role="status">
        {spoken()}
      </p>
      <p class="working">
        {line()}
        {left !== undefined && left >= 1 && <span class="soft">, {t.job.left(t.seconds(left.toFixed(0)))}</span>}
      </p>
      <button type="button" class="quiet" onClick={onStop}>
        {t.animate.stop}
      </button>
    </section>
  );

  /** As `line`, but new words only at each quarter: every step would be read out. */
  function spoken(): string {
    return part === undefined ? line() : `${25 * Math.floor(4 * part)} %`;
  }

  function line(): string {
    if (job.state === "queued") return t.job.queued(job.position);
    if (part === undefined) return t.job.starting;
    if (job.kind === "learn") return t.job.steps(job.done, job.total);
    return t.job.progress(`${Math.round(100 * part)} %`, (job.frames_per_second ?? 0).toFixed(0));
  }
}
