// The portrait alone, for OBS' browser source: nothing else is to be seen, whatever happens.

import { useEffect, useRef, useState } from "preact/hooks";
import { socket } from "../api/client";
import { painter } from "../live/painter";
import { SOUND, unpack } from "../live/protocol";
import { Player } from "../sound/player";
import { soundWorks } from "../sound/microphone";
import { useText } from "../text/language";

/** Milliseconds until a connection that ended is tried again. */
const RETRY = 2_000;

export function Broadcast({ session }: { session: string }) {
  const t = useText().broadcast;
  const canvas = useRef<HTMLCanvasElement>(null);
  const [showing, setShowing] = useState(false);

  useEffect(() => {
    document.documentElement.classList.add("bare");
    const paint = canvas.current && painter(canvas.current);
    const player = soundWorks() ? new Player() : undefined;
    let connection: WebSocket;
    let retry: ReturnType<typeof setTimeout>;
    const connect = () => {
      connection = new WebSocket(socket(`/api/broadcast/${encodeURIComponent(session)}`), "gioconda-live");
      connection.binaryType = "arraybuffer";
      connection.onmessage = ({ data }: MessageEvent<ArrayBuffer | string>) => {
        const packet = typeof data === "string" ? undefined : unpack(data, false);
        if (packet?.sequence === SOUND) player?.play(packet.payload);
        else if (packet) paint?.(packet.payload, () => setShowing(true));
      };
      connection.onclose = () => {
        setShowing(false);
        retry = setTimeout(connect, RETRY);
      };
    };
    connect();
    return () => {
      document.documentElement.classList.remove("bare");
      clearTimeout(retry);
      connection.onclose = null;
      connection.close();
      player?.close();
    };
  }, [session]);

  return (
    <main class="broadcast">
      <h1 class="heard">{t.view}</h1>
      <canvas ref={canvas} role="img" aria-label={t.view} hidden={!showing} />
      <p class="heard" role="status">
        {showing ? "" : t.waiting}
      </p>
    </main>
  );
}
