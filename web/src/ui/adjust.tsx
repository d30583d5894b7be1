// The sliders of a performance.

import type { Gains } from "../api/types";
import { useText } from "../text/language";
import { Slider } from "./slider";

export const NORMAL: Gains = { expression: 1, pose: 1, eyes: 1, mouth: 1, smoothing: 1 };

/** In the command line's units: gains 0..2, smoothing 0..5. */
const MOST: Gains = { expression: 2, pose: 2, eyes: 2, mouth: 2, smoothing: 5 };

interface AdjustProps {
  gains: Gains;
  onChange: (gains: Gains) => void;
}

export function Adjust({ gains, onChange }: AdjustProps) {
  const t = useText().animate;
  const names = Object.keys(NORMAL) as (keyof Gains)[];
  const changed = names.some((name) => gains[name] !== NORMAL[name]);
  return (
    <div class="adjust">
      {names.map((name) => (
        <Slider
          key={name}
          label={t[name]}
          value={gains[name]}
          most={MOST[name]}
          step={0.1}
          onInput={(value) => onChange({ ...gains, [name]: value })}
        />
      ))}
      <button type="button" class="quiet" disabled={!changed} onClick={() => onChange(NORMAL)}>
        {t.reset}
      </button>
    </div>
  );
}
