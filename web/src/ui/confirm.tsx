import { useEffect, useId, useRef } from "preact/hooks";

interface ConfirmProps {
  title: string;
  lead: string;
  yes: string;
  no: string;
  onYes: () => void;
  onNo: () => void;
}

/** Asks before something that cannot be undone. The safe answer has the focus; Escape gives it too. */
export function Confirm({ title, lead, yes, no, onYes, onNo }: ConfirmProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [heading, text] = [useId(), useId()];
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog
      ref={dialog}
      aria-labelledby={heading}
      aria-describedby={text}
      onCancel={(event) => {
        event.preventDefault();
        onNo();
      }}
    >
      <h2 id={heading}>{title}</h2>
      <p id={text}>{lead}</p>
      <div class="row">
        <button type="button" autofocus onClick={onNo}>
          {no}
        </button>
        <button type="button" class="danger" onClick={onYes}>
          {yes}
        </button>
      </div>
    </dialog>
  );
}
