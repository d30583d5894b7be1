// What is behind the person.

import { useId } from "preact/hooks";
import { useText } from "../text/language";

/** Green screen: what programs for cutting films take away best. */
const COLOUR = "#00b140";
const KINDS = ["keep", "blur", "colour", "transparent"] as const;
type Kind = (typeof KINDS)[number];

interface BackgroundProps {
  /** As the server takes it: keep, blur, transparent or #rrggbb. */
  background: string;
  onChange: (background: string) => void;
}

export function Background({ background, onChange }: BackgroundProps) {
  const t = useText().background;
  const [which, colour] = [useId(), useId()];
  const kind: Kind = background.startsWith("#") ? "colour" : (background as Kind);
  return (
    <div class="background">
      <label for={which}>{t.title}</label>
      <select
        id={which}
        value={kind}
        onChange={(event) => {
          const chosen = event.currentTarget.value as Kind;
          onChange(chosen === "colour" ? COLOUR : chosen);
        }}
      >
        {KINDS.map((kind) => (
          <option key={kind} value={kind}>
            {t[kind]}
          </option>
        ))}
      </select>
      {kind === "colour" && (
        <>
          <label for={colour}>{t.colour}</label>
          <input
            id={colour}
            type="color"
            value={background}
            onInput={(event) => onChange(event.currentTarget.value)}
          />
        </>
      )}
      {kind === "transparent" && <p class="hint">{t.transparentHint}</p>}
    </div>
  );
}
