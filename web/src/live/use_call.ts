// A room in which people meet as portraits.

import { useEffect, useRef, useState } from "preact/hooks";
import { socket } from "../api/client";
import type { LiveNews, Options, PortraitId } from "../api/types";
import { startMicrophone } from "../sound/microphone";
import { Player } from "../sound/player";
import { painter } from "./painter";
import { Performer } from "./performer";

export interface Participant {
  id: number;
  name: string;
}

export interface CallState {
  phase: "lobby" | "joining" | "inside" | "full" | "lost";
  own: number | undefined;
  others: Participant[];
  face: boolean;
  speaking: boolean;
  refusal: string | undefined;
  error: unknown;
}

const LOBBY: CallState = {
  phase: "lobby",
  own: undefined,
  others: [],
  face: true,
  speaking: false,
  refusal: undefined,
  error: undefined,
};

/** Milliseconds until a lost room is tried again. */
const RETRY = 2_000;
const SIZE = 256;

export interface Call {
  state: CallState;
  join: (portrait: PortraitId, name: string, options: Options) => Promise<void>;
  leave: () => void;
  speak: (on: boolean) => Promise<void>;
  /** Where the participant with this id is painted. */
  attach: (id: number, canvas: HTMLCanvasElement | null) => void;
}

export function useCall(room: string): Call {
  const [state, setState] = useState(LOBBY);
  const change = (part: Partial<CallState>) => setState((state) => ({ ...state, ...part }));
  const performer = useRef<Performer | undefined>(undefined);
  const retry = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const stopMicrophone = useRef<(() => void) | undefined>(undefined);
  const players = useRef(new Map<number, Player>());
  const painters = useRef(new Map<number, ReturnType<typeof painter>>());

  const forget = (id: number) => {
    players.current.get(id)?.close();
    players.current.delete(id);
    painters.current.delete(id);
  };

  // Counts joins and leaves: who was waiting for camera or microphone while it changed has to give them back.
  const attempt = useRef(0);

  const tearDown = () => {
    attempt.current += 1;
    clearTimeout(retry.current);
    stopMicrophone.current?.();
    stopMicrophone.current = undefined;
    performer.current?.close();
    performer.current = undefined;
    for (const id of [...players.current.keys()]) forget(id);
  };
  useEffect(() => tearDown, [room]);

  const leave = () => {
    tearDown();
    setState(LOBBY);
  };

  const hear = (news: LiveNews) => {
    switch (news.type) {
      case "ready":
        return change({ phase: "inside", own: news.participant, refusal: undefined });
      case "joined":
        return setState((state) => ({
          ...state,
          others: [...state.others.filter(({ id }) => id !== news.participant), { id: news.participant, name: news.name }],
        }));
      case "left":
        forget(news.participant);
        return setState((state) => ({ ...state, others: state.others.filter(({ id }) => id !== news.participant) }));
      case "full":
        tearDown();
        return setState({ ...LOBBY, phase: "full" });
      case "lost":
        return change({ phase: "lost" });
      case "back":
        return change({ phase: "inside" });
      case "face":
        return change({ face: news.found });
      case "error":
        return change({ refusal: news.error });
    }
  };

  const enter = (portrait: PortraitId, name: string, options: Options) => {
    // A room that was never entered, with a reason, is refused; trying again would not help.
    let [entered, reason]: [boolean, string | undefined] = [false, undefined];
    performer.current?.enter({
      url: socket(`/api/call/${encodeURIComponent(room)}`),
      start: { type: "start", portrait, options, size: SIZE, name },
      inCall: true,
      events: {
        onNews: (news) => {
          if (news.type === "ready") entered = true;
          if (news.type === "error") reason = news.error;
          hear(news);
        },
        onPicture: ({ participant = 0, payload }) => painters.current.get(participant)?.(payload),
        onSound: ({ participant = 0, payload }) => {
          const player = players.current.get(participant) ?? new Player();
          players.current.set(participant, player);
          player.play(payload);
        },
        onEnd: () => {
          if (!entered && reason !== undefined) {
            tearDown();
            setState({ ...LOBBY, refusal: reason });
            return;
          }
          change({ phase: "lost", others: [], own: undefined });
          retry.current = setTimeout(() => enter(portrait, name, options), RETRY);
        },
      },
    });
  };

  const join = async (portrait: PortraitId, name: string, options: Options) => {
    const own = ++attempt.current;
    setState({ ...LOBBY, phase: "joining" });
    try {
      const opened = await Performer.open();
      if (own !== attempt.current) return opened.close();
      performer.current = opened;
      enter(portrait, name, options);
    } catch (error) {
      if (own === attempt.current) setState({ ...LOBBY, error });
    }
  };

  const speak = async (on: boolean) => {
    stopMicrophone.current?.();
    stopMicrophone.current = undefined;
    change({ speaking: false, error: undefined });
    if (!on) return;
    const own = attempt.current;
    try {
      const stop = await startMicrophone((packet) => performer.current?.session?.sendSound(packet));
      if (own !== attempt.current) return stop();
      stopMicrophone.current = stop;
      change({ speaking: true });
    } catch (error) {
      change({ error });
    }
  };

  const attach = (id: number, canvas: HTMLCanvasElement | null) => {
    if (canvas) painters.current.set(id, painter(canvas));
  };

  return { state, join, leave, speak, attach };
}
