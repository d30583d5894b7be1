// When a visitor has walked away from a kiosk.

export interface IdleTimes {
  /** Seconds without a touch, key or pointer until the visitor is asked. */
  ask: number;
  /** Seconds the question stands before everything starts anew. */
  leave: number;
}

/** What is to be shown after `seconds` without input: nothing, the seconds left to answer, or the start. */
export function idleState(seconds: number, times: IdleTimes): { state: "here" | "gone" } | { state: "asked"; left: number } {
  if (seconds < times.ask) return { state: "here" };
  const left = Math.ceil(times.ask + times.leave - seconds);
  return left > 0 ? { state: "asked", left } : { state: "gone" };
}
