// State that outlives its page while the visitor walks through the others.

import { useState } from "preact/hooks";

const kept = new Map<string, unknown>();

/** As `useState`, but the value is there again when the page is. */
export function useKept<T>(key: string, initial: T): [T, (value: T) => void] {
  const [value, setValue] = useState(() => (kept.has(key) ? (kept.get(key) as T) : initial));
  return [
    value,
    (next) => {
      kept.set(key, next);
      setValue(next);
    },
  ];
}
