// Following a job to its end.

import { job as read, jobEvents } from "./client";
import type { Job } from "./types";

/** Whether nothing more will happen to it by itself. */
export function ended(job: Job): boolean {
  return job.state === "done" || job.state === "failed" || job.state === "stopped";
}

/** How far it is, 0 to 1; `undefined` while that cannot be told. */
export function share(job: Job): number | undefined {
  return job.total > 0 ? Math.min(1, job.done / job.total) : undefined;
}

/** Seconds left at the present pace; `undefined` while that cannot be told. */
export function secondsLeft(job: Job): number | undefined {
  const pace = job.frames_per_second;
  return job.state === "running" && job.total > 0 && pace !== null && pace > 0
    ? Math.max(0, job.total - job.done) / pace
    : undefined;
}

/**
 * Tells `onChange` of every change until the job ends; returns what stops the following, not the job. An interrupted
 * stream is taken up again by the browser; `onLost` hears of jobs that the studio does not know any more.
 */
export function follow(id: string, onChange: (job: Job) => void, onLost: (error: unknown) => void): () => void {
  const events = new EventSource(jobEvents(id));
  events.onmessage = (event: MessageEvent<string>) => {
    const job = JSON.parse(event.data) as Job;
    if (ended(job)) events.close();
    onChange(job);
  };
  events.onerror = () => {
    if (events.readyState !== EventSource.CLOSED) return;
    read(id).then(onChange, onLost);
  };
  return () => events.close();
}
