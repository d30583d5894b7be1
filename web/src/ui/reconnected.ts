import { useEffect, useRef } from "preact/hooks";
import { watchConnection } from "../api/client";

/** Calls `back` when the studio answers again after it did not. */
export function useReconnected(back: () => void): void {
  const newest = useRef(back);
  newest.current = back;
  useEffect(() => {
    let answered = true;
    return watchConnection((answers) => {
      if (answers && !answered) newest.current();
      answered = answers;
    });
  }, []);
}
