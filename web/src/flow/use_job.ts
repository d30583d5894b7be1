// The one job of a kind that this tab has started; found again after a reload.

import { useEffect, useRef, useState } from "preact/hooks";
import { follow } from "../api/jobs";
import { Refusal } from "../api/client";
import type { Job } from "../api/types";

export interface FollowedJob {
  job: Job | undefined;
  error: unknown;
  /** Follows the job with this id from now on. */
  start: (id: string) => void;
  /** Forgets it; does not stop it. */
  forget: () => void;
}

export function useJob(kind: Job["kind"]): FollowedJob {
  const remembered = `gioconda.job.${kind}`;
  const [id, setId] = useState(() => sessionStorage.getItem(remembered));
  const [job, setJob] = useState<Job>();
  const [error, setError] = useState<unknown>();
  const [round, setRound] = useState(0);

  const forget = () => {
    sessionStorage.removeItem(remembered);
    setId(null);
    setJob(undefined);
    setError(undefined);
  };
  const start = (started: string) => {
    sessionStorage.setItem(remembered, started);
    setError(undefined);
    setId(started);
    // A resumed job has the id it had.
    setRound((round) => round + 1);
  };

  const watched = useRef(false);
  useEffect(() => {
    if (id === null) return;
    const see = (job: Job) => {
      watched.current = true;
      setJob(job);
    };
    return follow(id, see, (lost) => {
      forget();
      // That a remembered job of a past run of the studio is gone is no news to anybody.
      if (watched.current || !(lost instanceof Refusal && lost.status === 404)) setError(lost);
    });
  }, [id, round]);

  return { job, error, start, forget };
}
