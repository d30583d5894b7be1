// Reading something from the studio when a page opens.

import { useEffect, useState } from "preact/hooks";
import { useReconnected } from "./reconnected";

export type Loaded<T> = { state: "loading" } | { state: "ready"; value: T } | { state: "failed"; error: unknown };

/**
 * Loads anew whenever one of `inputs` changes, `again` is called or the studio is back after a failure; what is shown
 * stays until the new is there.
 */
export function useLoad<T>(load: () => Promise<T>, inputs: readonly unknown[]): { loaded: Loaded<T>; again: () => void } {
  const [loaded, setLoaded] = useState<Loaded<T>>({ state: "loading" });
  const [round, setRound] = useState(0);
  useEffect(() => {
    let wanted = true;
    load().then(
      (value) => wanted && setLoaded({ state: "ready", value }),
      (error: unknown) => wanted && setLoaded({ state: "failed", error }),
    );
    return () => {
      wanted = false;
    };
  }, [...inputs, round]);
  const again = () => setRound((round) => round + 1);
  useReconnected(() => {
    if (loaded.state === "failed") again();
  });
  return { loaded, again };
}
