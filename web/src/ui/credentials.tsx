// What a file says of its own origin, in plain words.

import type { Claims, Finding } from "../api/types";
import { useText } from "../text/language";
import { Icon, type IconName } from "./icons";

const SIGNS: Record<Finding["verdict"], IconName> = {
  marked: "check",
  signed: "question",
  unmarked: "question",
  unverifiable: "warning",
  tampered: "warning",
};

export function Credentials({ finding }: { finding: Finding }) {
  const t = useText().credentials;
  const claims = claimsOf(finding);
  return (
    <section class={`credentials ${finding.verdict}`} aria-label={t.title}>
      <p class="verdict">
        <Icon name={SIGNS[finding.verdict]} />
        <strong>{verdict()}</strong>
      </p>
      {finding.verdict === "unmarked" && <p>{t.unmarkedLead}</p>}
      {finding.verdict === "unverifiable" && <p>{t.unverifiableLead}</p>}
      {finding.verdict === "tampered" && <p>{t.tamperedLead}</p>}
      <dl>
        <dt>{t.statement}</dt>
        <dd>{statement()}</dd>
        {claims && (
          <>
            <dt>{t.program}</dt>
            <dd>{claims.generator ?? t.unknown}</dd>
            <dt>{t.signer}</dt>
            <dd>
              {claims.issuer ?? t.unknown} <span class="soft">({t.signerNote})</span>
            </dd>
            {claims.subject && (
              <>
                <dt>{t.shown}</dt>
                <dd>{t.subjects[claims.subject]}</dd>
              </>
            )}
            {claims.consent && (
              <>
                <dt>{t.consent}</dt>
                <dd>{claims.consent}</dd>
              </>
            )}
          </>
        )}
        <dt>{t.watermark}</dt>
        <dd>{watermark()}</dd>
      </dl>
      <details>
        <summary>{t.whole}</summary>
        <p lang="en">{finding.sentence}</p>
      </details>
    </section>
  );

  function verdict(): string {
    return {
      marked: t.marked,
      signed: t.signed,
      unmarked: t.unmarked,
      unverifiable: t.unverifiable,
      tampered: t.tampered,
    }[finding.verdict];
  }

  function statement(): string {
    const manifest = finding.manifest;
    switch (manifest.status) {
      case "missing":
        return t.missing;
      case "valid":
        return t.unchanged;
      case "tampered":
        return t.tampered;
      case "unverifiable":
        return t.unverifiable;
      case "elsewhere":
        return t.elsewhere(manifest.url);
    }
  }

  function watermark(): string {
    const mark = finding.watermark;
    if (mark.status === "missing") return t.notFound;
    if (mark.status === "unreadable") return t.unreadable;
    return t.found(mark.payload.version, mark.payload.date);
  }
}

function claimsOf({ manifest }: Finding): Claims | null {
  if (manifest.status === "valid") return manifest;
  return manifest.status === "tampered" || manifest.status === "unverifiable" ? manifest.claims : null;
}
