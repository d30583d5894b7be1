import { useEffect, useId, useRef } from "preact/hooks";
import { useText } from "../text/language";

/** The question to a visitor who may have gone. Any touch or key is the answer. */
export function StillThere({ left }: { left: number }) {
  const t = useText().gallery;
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} aria-labelledby={heading}>
      <h2 id={heading}>{t.idleTitle}</h2>
      <p>{t.idleLead(left)}</p>
      <button type="button" class="main" autofocus>
        {t.idleStay}
      </button>
    </dialog>
  );
}
