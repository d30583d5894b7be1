// The film of a gallery figure that a visitor has asked for. Another wish, or leaving, ends the making of the last one.

import { useEffect, useRef, useState } from "preact/hooks";
import * as api from "../api/client";
import { follow } from "../api/jobs";
import type { Job, Options } from "../api/types";

/** Longest side in pixels. */
const SIZE = 960;

export interface FigureFilm {
  /** What was asked for; nothing when nothing is shown. */
  motion: string | undefined;
  job: Job | undefined;
  error: unknown;
  play: (motion: string) => Promise<void>;
  clear: () => void;
}

export function useFigureFilm(figure: string, options: Options): FigureFilm {
  const [motion, setMotion] = useState<string>();
  const [job, setJob] = useState<Job>();
  const [error, setError] = useState<unknown>();
  const wish = useRef(0);
  const endLast = useRef(() => {});

  const clear = () => {
    wish.current += 1;
    endLast.current();
    endLast.current = () => {};
    setMotion(undefined);
    setJob(undefined);
    setError(undefined);
  };
  useEffect(() => clear, []);

  const play = async (motion: string) => {
    clear();
    const own = wish.current;
    const fail = (refused: unknown) => {
      if (own !== wish.current) return;
      setMotion(undefined);
      setError(refused);
    };
    setMotion(motion);
    try {
      const { job: id } = await api.animate({ figure }, { motion }, { ...options, format: "mp4", size: SIZE });
      const unfollow = follow(id, setJob, fail);
      const end = () => {
        unfollow();
        // A film that is done is forgotten; where nothing can be stopped it expires by itself.
        api.stopJob(id).catch(() => {});
      };
      if (own === wish.current) endLast.current = end;
      else end();
    } catch (refused) {
      fail(refused);
    }
  };

  return { motion, job, error, play, clear };
}
