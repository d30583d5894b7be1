// What went wrong, in words, with the way on.

import type { ComponentChildren } from "preact";
import { Refusal } from "../api/client";
import { CameraError } from "../live/camera";
import type { Texts } from "../text/en";
import { useText } from "../text/language";
import { Icon } from "./icons";

/** One line about an error: the studio's own where it gave one. */
export function explain(error: unknown, t: Texts): string {
  if (error instanceof CameraError) return t.trouble.camera[error.trouble];
  if (error instanceof Refusal) {
    if (error.offline) return t.trouble.offline;
    return error.retryAfter ? t.trouble.busy(error.message, error.retryAfter) : error.message;
  }
  return t.trouble.unexpected;
}

/** An error with the way on. That the studio does not answer is said once for the whole page, by `Connection`. */
export function Trouble({ error, again }: { error: unknown; again?: (() => void) | undefined }) {
  const t = useText();
  if (error instanceof Refusal && error.offline) return null;
  return (
    <TroubleLine line={explain(error, t)}>
      {again && (
        <button type="button" class="quiet" onClick={again}>
          {t.trouble.again}
        </button>
      )}
    </TroubleLine>
  );
}

export function TroubleLine({ line, children }: { line: string; children?: ComponentChildren }) {
  return (
    <div class="trouble" role="alert">
      <Icon name="warning" />
      <p>{line}</p>
      {children}
    </div>
  );
}
