// Who is shown, as far as the maker says it.

import { useId } from "preact/hooks";
import type { Subject } from "../api/types";
import { useText } from "../text/language";

const SUBJECTS: Subject[] = ["undeclared", "self", "consented", "historical", "artwork", "fictional"];

export interface Declared {
  subject: Subject;
  consent: string;
}

export const UNDECLARED: Declared = { subject: "undeclared", consent: "" };

interface DeclarationProps {
  declared: Declared;
  onChange: (declared: Declared) => void;
}

export function Declaration({ declared, onChange }: DeclarationProps) {
  const t = useText().subject;
  const [who, why, what] = [useId(), useId(), useId()];
  return (
    <div class="declaration">
      <label for={who}>{t.title}</label>
      <select
        id={who}
        aria-describedby={why}
        value={declared.subject}
        onChange={(event) => onChange({ ...declared, subject: event.currentTarget.value as Subject })}
      >
        {SUBJECTS.map((subject) => (
          <option key={subject} value={subject}>
            {t[subject]}
          </option>
        ))}
      </select>
      <p id={why} class="hint">
        {t.why}
      </p>
      {declared.subject === "consented" && (
        <>
          <label for={what}>{t.consent}</label>
          <input
            id={what}
            type="text"
            maxLength={200}
            placeholder={t.consentHint}
            value={declared.consent}
            onInput={(event) => onChange({ ...declared, consent: event.currentTarget.value })}
          />
        </>
      )}
    </div>
  );
}
