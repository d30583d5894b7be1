// A live portrait for a page: what it shows, what it says of itself, and its buttons.

import { type RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { socket } from "../api/client";
import type { LiveNews, Options, PortraitId } from "../api/types";
import { Meter } from "./meter";
import { painter } from "./painter";
import { Performer } from "./performer";
import type { LiveSession } from "./session";

export interface LiveState {
  phase: "idle" | "starting" | "running" | "ended";
  stream: MediaStream | undefined;
  /** What the broadcast page is called by. */
  session: string | undefined;
  face: boolean;
  calibrated: boolean;
  framesPerSecond: number;
  /** Median milliseconds from the camera's picture to the portrait's. */
  latency: number | undefined;
  /** In the studio's words, or an exception. */
  refusal: string | undefined;
  error: unknown;
}

const IDLE: LiveState = {
  phase: "idle",
  stream: undefined,
  session: undefined,
  face: true,
  calibrated: false,
  framesPerSecond: 0,
  latency: undefined,
  refusal: undefined,
  error: undefined,
};

/** Milliseconds between readings of the meter. */
const READ_EVERY = 500;

export interface Live {
  state: LiveState;
  canvas: RefObject<HTMLCanvasElement | null>;
  start: () => Promise<void>;
  stop: () => void;
  calibrate: () => void;
  session: () => LiveSession | undefined;
}

export function useLive(portrait: PortraitId | undefined, options: Options, size: number): Live {
  const canvas = useRef<HTMLCanvasElement>(null);
  const performer = useRef<Performer | undefined>(undefined);
  const [state, setState] = useState(IDLE);
  const change = (part: Partial<LiveState>) => setState((state) => ({ ...state, ...part }));

  // Counts starts and stops: who was waiting for the camera while it changed has to give it back.
  const attempt = useRef(0);

  const stop = () => {
    attempt.current += 1;
    performer.current?.close();
    performer.current = undefined;
    setState(IDLE);
  };
  useEffect(() => stop, []);

  const wanted = JSON.stringify(portrait);
  useEffect(() => {
    if (portrait) performer.current?.session?.say({ type: "portrait", portrait });
    else stop();
  }, [wanted]);
  useEffect(() => {
    performer.current?.session?.say({ type: "options", options });
  }, [JSON.stringify(options)]);

  const meter = useRef(new Meter());
  useEffect(() => {
    if (state.phase !== "running") return;
    const reading = setInterval(() => change(meter.current.read(performance.now())), READ_EVERY);
    return () => clearInterval(reading);
  }, [state.phase]);

  const hear = (news: LiveNews) => {
    if (news.type === "ready") change({ phase: "running", session: news.session });
    else if (news.type === "face") change({ face: news.found });
    else if (news.type === "calibrated") change({ calibrated: true, refusal: undefined });
    else if (news.type === "error") change({ refusal: news.error });
  };

  const start = async () => {
    if (!portrait || performer.current) return;
    const own = ++attempt.current;
    setState({ ...IDLE, phase: "starting" });
    try {
      const opened = await Performer.open();
      if (own !== attempt.current) return opened.close();
      performer.current = opened;
    } catch (error) {
      if (own === attempt.current) setState({ ...IDLE, error });
      return;
    }
    let paint: ReturnType<typeof painter> | undefined;
    meter.current = new Meter();
    change({ stream: performer.current.stream });
    performer.current.enter({
      url: socket("/api/live"),
      start: { type: "start", portrait, options, size },
      inCall: false,
      events: {
        onNews: hear,
        onPicture: ({ milliseconds, payload }) => {
          if (!canvas.current) return;
          paint ??= painter(canvas.current);
          paint(payload, () => {
            const now = performance.now();
            meter.current.add(now, now - milliseconds);
          });
        },
        onSound: () => {},
        onEnd: () => {
          performer.current?.close();
          performer.current = undefined;
          change({ phase: "ended", stream: undefined, session: undefined });
        },
      },
    });
  };

  const calibrate = () => {
    change({ calibrated: false, refusal: undefined });
    performer.current?.session?.say({ type: "calibrate" });
  };

  return { state, canvas, start, stop, calibrate, session: () => performer.current?.session };
}
