// How fast and how late the portrait follows.

/** Milliseconds that are looked back on. */
const WINDOW = 2_000;

/** Frames a second and the median round trip of the last two seconds. */
export class Meter {
  #arrivals: { at: number; latency: number }[] = [];

  /** Notes a frame shown at `at`, `latency` after its camera picture; both in milliseconds. */
  add(at: number, latency: number): void {
    this.#arrivals.push({ at, latency });
    this.#forget(at);
  }

  read(now: number): { framesPerSecond: number; latency: number | undefined } {
    this.#forget(now);
    const latencies = this.#arrivals.map((arrival) => arrival.latency).sort((a, b) => a - b);
    return {
      framesPerSecond: (this.#arrivals.length * 1_000) / WINDOW,
      latency: latencies[Math.floor(latencies.length / 2)],
    };
  }

  #forget(now: number): void {
    this.#arrivals = this.#arrivals.filter((arrival) => now - arrival.at <= WINDOW);
  }
}
