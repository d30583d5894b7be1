import { useEffect, useRef } from "preact/hooks";
import { useText } from "../text/language";

interface SeatProps {
  id: number;
  name: string;
  own?: boolean;
  /** Shown until the portrait moves, where it is known. */
  image?: string | undefined;
  attach: (id: number, canvas: HTMLCanvasElement | null) => void;
}

/** One portrait of a call. */
export function Seat({ id, name, own, image, attach }: SeatProps) {
  const t = useText().call;
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => attach(id, canvas.current), [id]);
  return (
    <li class={own ? "seat own" : "seat"}>
      <div class="frame square">
        {image && <img src={image} alt="" />}
        <canvas ref={canvas} role="img" aria-label={name} data-participant={id} />
      </div>
      <p>
        {name}
        {own && <span class="soft"> ({t.own.toLowerCase()})</span>}
      </p>
    </li>
  );
}
