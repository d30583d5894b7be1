import { follow } from "../router";
import { useText } from "../text/language";

export function Missing() {
  const t = useText().missing;
  return (
    <article class="narrow">
      <header class="opening">
        <h1 tabIndex={-1}>{t.title}</h1>
        <p class="lead">{t.lead}</p>
      </header>
      <a class="button" href="/" onClick={follow}>
        {t.home}
      </a>
    </article>
  );
}
