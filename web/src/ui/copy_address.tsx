import { useId, useState } from "preact/hooks";
import { useText } from "../text/language";

/** An address to hand on: readable, selectable, copied with one press. */
export function CopyAddress({ address, label, open }: { address: string; label?: string; open?: boolean }) {
  const t = useText().live;
  const id = useId();
  const [copied, setCopied] = useState(false);
  return (
    <div class="address">
      <label for={id} class={label ? undefined : "heard"}>
        {label ?? t.broadcast}
      </label>
      <input id={id} type="text" readOnly value={address} onFocus={(event) => event.currentTarget.select()} />
      <button
        type="button"
        class="quiet"
        onClick={() => void navigator.clipboard?.writeText(address).then(() => setCopied(true))}
      >
        {t.copy}
      </button>
      {open && (
        <a class="button quiet" href={address} target="_blank" rel="noopener">
          {t.open}
        </a>
      )}
      <span class="hint" role="status">
        {copied ? t.copied : ""}
      </span>
    </div>
  );
}
