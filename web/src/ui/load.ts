// Reading something from the studio when a page opens.

import { useEffect, useState } from "preact/hooks";

export type Loaded<T> = { state: "loading" } | { state: "ready"; value: T } | { state: "failed"; error: unknown };

/** Loads anew whenever one of `inputs` changes or `again` is called; what is shown stays until the new is there. */
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
  return { loaded, again: () => setRound((round) => round + 1) };
}
