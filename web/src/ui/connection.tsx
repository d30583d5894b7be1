// Says when the studio does not answer, and tries until it does.

import { useEffect, useState } from "preact/hooks";
import { healthy, watchConnection } from "../api/client";
import { useText } from "../text/language";
import { TroubleLine } from "./trouble";

/** Milliseconds between tries. */
const RETRY = 3_000;

export function Connection() {
  const t = useText().trouble;
  const [answers, setAnswers] = useState(true);
  useEffect(() => watchConnection(setAnswers), []);
  useEffect(() => {
    if (answers) return;
    const retry = setInterval(() => void healthy().catch(() => {}), RETRY);
    return () => clearInterval(retry);
  }, [answers]);
  return answers ? null : (
    <div class="banner">
      <TroubleLine line={`${t.offline} ${t.back}`} />
    </div>
  );
}
