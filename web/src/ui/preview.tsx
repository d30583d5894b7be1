// The moving preview: single frames asked for one after the other, each with the sliders' newest values.

import { useEffect, useRef, useState } from "preact/hooks";
import { preview } from "../api/client";
import type { Drive, Options, PortraitId } from "../api/types";
import { wantsLessMotion } from "../flow/motion_wish";
import { newest } from "../flow/newest";
import { painter } from "../live/painter";
import { useText } from "../text/language";
import { Icon } from "./icons";
import { useReconnected } from "./reconnected";
import { Trouble } from "./trouble";

/** Preview frames a second at most: enough to judge a motion, and leaves the machine to others. */
const PACE = 15;

interface PreviewProps {
  portrait: PortraitId;
  name: string;
  /** What is shown until the first frame is there. */
  image: string;
  drive: Drive;
  /** Length of the drive. */
  seconds: number;
  options: Options;
}

export function Preview({ portrait, name, image, drive, seconds, options }: PreviewProps) {
  const t = useText().animate;
  const canvas = useRef<HTMLCanvasElement>(null);
  const [at, setAt] = useState(0);
  const [painted, setPainted] = useState(false);
  // Plays by itself for one pass after every change, unless the visitor has paused it.
  const [pausedByHand, setPausedByHand] = useState(wantsLessMotion);
  const [playing, setPlaying] = useState(false);
  const end = useRef(0);
  const [error, setError] = useState<unknown>();
  const wanted = useRef({ portrait, drive, options });
  wanted.current = { portrait, drive, options };
  const paint = useRef<ReturnType<typeof painter> | undefined>(undefined);
  // Ends the pause between two frames early.
  const wake = useRef(() => {});

  const show = async (moment: number): Promise<void> => {
    const asked = wanted.current;
    try {
      const jpeg = await preview(asked.portrait, asked.drive, asked.options, moment);
      if (!canvas.current) return;
      paint.current ??= painter(canvas.current);
      paint.current(new Uint8Array(await jpeg.arrayBuffer()), () => setPainted(true));
      setError(undefined);
    } catch (refused) {
      setError(refused);
      setPlaying(false);
    }
  };
  const still = useRef(newest(show));

  const play = () => {
    end.current = performance.now() + seconds * 1_000;
    setPlaying(true);
  };

  const inputs = JSON.stringify([portrait, drive, options]);
  useEffect(() => {
    if (pausedByHand) still.current(at);
    else play();
    wake.current();
  }, [inputs]);

  useEffect(() => {
    if (!playing) return;
    let stopped = false;
    const run = async () => {
      const started = performance.now() - at * 1_000;
      while (!stopped && performance.now() < end.current) {
        const asked = performance.now();
        const moment = ((asked - started) / 1_000) % seconds;
        setAt(moment);
        await show(moment);
        await new Promise<void>((resolve) => {
          wake.current = resolve;
          setTimeout(resolve, asked + 1_000 / PACE - performance.now());
        });
      }
      if (!stopped) setPlaying(false);
    };
    void run();
    return () => {
      stopped = true;
    };
  }, [playing]);

  useReconnected(() => still.current(at));

  const seek = (moment: number) => {
    setPlaying(false);
    setPausedByHand(true);
    setAt(moment);
    still.current(moment);
  };
  const toggle = () => {
    setPausedByHand(playing);
    if (playing) setPlaying(false);
    else play();
  };

  return (
    <div class="preview">
      <div class="frame">
        <canvas ref={canvas} role="img" aria-label={t.previewOf(name)} hidden={!painted} />
        {!painted && <img src={image} alt="" />}
      </div>
      <div class="transport">
        <button type="button" class="quiet round" aria-label={playing ? t.pause : t.play} onClick={toggle}>
          <Icon name={playing ? "pause" : "play"} />
        </button>
        <input
          type="range"
          aria-label={t.moment}
          min={0}
          max={seconds}
          step={0.04}
          value={at}
          onInput={(event) => seek(event.currentTarget.valueAsNumber)}
        />
      </div>
      {error !== undefined && <Trouble error={error} again={() => still.current(at)} />}
    </div>
  );
}
