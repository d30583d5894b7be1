// Figures of the past: a wall of portraits, each with its card. In a kiosk it is the only page, with big buttons, and
// starts anew when a visitor has gone.

import { useEffect, useRef, useState } from "preact/hooks";
import * as api from "../api/client";
import { idleState, type IdleTimes } from "../flow/idle";
import { firstLanguage, useLanguage, useText } from "../text/language";
import { FigureCard } from "../ui/figure_card";
import { LanguageSwitch } from "../ui/language_switch";
import { useLoad } from "../ui/load";
import { StillThere } from "../ui/still_there";
import { Trouble } from "../ui/trouble";

const IDLE: IdleTimes = { ask: 60, leave: 15 };

export function Gallery({ kiosk }: { kiosk: boolean }) {
  const t = useText().gallery;
  const words = useText();
  const { language, speak } = useLanguage();
  const { loaded, again } = useLoad(() => api.figures(language), [language]);
  const [chosen, setChosen] = useState<string>();
  const wall = useRef<HTMLUListElement>(null);
  const figure = loaded.state === "ready" ? loaded.value.find(({ id }) => id === chosen) : undefined;

  const back = () => {
    const last = chosen;
    setChosen(undefined);
    requestAnimationFrame(() => wall.current?.querySelector<HTMLElement>(`[data-figure="${last}"]`)?.focus());
  };

  const walk = (event: KeyboardEvent) => {
    const plates = [...(wall.current?.querySelectorAll<HTMLElement>("[data-figure]") ?? [])];
    const at = plates.indexOf(document.activeElement as HTMLElement);
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (step === undefined || plates.length === 0) return;
    event.preventDefault();
    plates[(at + step + plates.length) % plates.length]?.focus();
  };

  const content = figure ? (
    <FigureCard key={figure.id} figure={figure} kiosk={kiosk} onBack={back} />
  ) : (
    <>
      <header class="opening">
        <h1 tabIndex={-1}>{t.title}</h1>
        <p class="lead">{t.lead}</p>
      </header>
      {loaded.state === "loading" && <p role="status">{words.loading}</p>}
      {loaded.state === "failed" && <Trouble error={loaded.error} again={again} />}
      {loaded.state === "ready" && loaded.value.length === 0 && <p class="nothing">{t.empty}</p>}
      {loaded.state === "ready" && (
        <ul class="wall" ref={wall} onKeyDown={walk}>
          {loaded.value.map(({ id, name, when }) => (
            <li key={id}>
              <button type="button" class="plate large" data-figure={id} onClick={() => setChosen(id)}>
                <span class="frame">
                  <img src={api.figureImage(id)} alt="" />
                </span>
                <span class="name">{name}</span>
                <span class="when">{when}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
      {kiosk && <p class="hint centred">{t.keys}</p>}
    </>
  );

  if (!kiosk) return <article class="gallery">{content}</article>;
  return (
    <main class="kiosk">
      <div class="kiosk-bar">
        <p class="wordmark">{words.brand}</p>
        <LanguageSwitch />
      </div>
      <article class="gallery">{content}</article>
      <IdleReset
        onReset={() => {
          setChosen(undefined);
          speak(firstLanguage());
        }}
      />
    </main>
  );
}

/** Asks whether anybody is there once nothing was touched for a while, and starts anew without an answer. */
function IdleReset({ onReset }: { onReset: () => void }) {
  const touched = useRef(performance.now());
  const [left, setLeft] = useState<number>();

  useEffect(() => {
    const touch = () => {
      touched.current = performance.now();
      setLeft(undefined);
    };
    const signs = ["pointerdown", "pointermove", "keydown", "wheel", "touchstart"];
    for (const sign of signs) addEventListener(sign, touch, { passive: true });
    const watch = setInterval(() => {
      const idle = idleState((performance.now() - touched.current) / 1_000, IDLE);
      setLeft(idle.state === "asked" ? idle.left : undefined);
      if (idle.state === "gone") {
        touched.current = performance.now();
        onReset();
      }
    }, 1_000);
    return () => {
      clearInterval(watch);
      for (const sign of signs) removeEventListener(sign, touch);
    };
  }, []);

  return left === undefined ? null : <StillThere left={left} />;
}
