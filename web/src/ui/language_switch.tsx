import { LANGUAGES, OWN_NAMES, useLanguage, useText } from "../text/language";

/** The languages side by side: one press, nothing to open. */
export function LanguageSwitch() {
  const t = useText();
  const { language, speak } = useLanguage();
  return (
    <div class="languages" role="group" aria-label={t.language}>
      {LANGUAGES.map((code) => (
        <button key={code} type="button" lang={code} aria-pressed={code === language} onClick={() => speak(code)}>
          {OWN_NAMES[code]}
        </button>
      ))}
    </div>
  );
}
