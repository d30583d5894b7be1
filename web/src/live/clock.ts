declare const CLOCK_WORKER: string;

/** Calls `beat` 30 times a second, in hidden pages too; returns what stops it. */
export function startClock(beat: () => void): () => void {
  const clock = new Worker(CLOCK_WORKER, { type: "module" });
  clock.onmessage = beat;
  return () => clock.terminate();
}
