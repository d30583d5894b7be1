// A figure of the gallery: the picture, its card, and big buttons that let it move. Always labelled as animated.

import { useEffect, useRef, useState } from "preact/hooks";
import * as api from "../api/client";
import { ended, follow as followJob, share } from "../api/jobs";
import type { Figure, Job, Options } from "../api/types";
import { useLive } from "../live/use_live";
import { follow } from "../router";
import { useLanguage, useText } from "../text/language";
import { Icon } from "./icons";
import { useLoad } from "./load";
import { Trouble, TroubleLine } from "./trouble";

/** Longest side of films for the card, and side of the live portrait, in pixels. */
const FILM_SIZE = 960;
const LIVE_SIZE = 384;

interface FigureCardProps {
  figure: Figure;
  kiosk: boolean;
  onBack: () => void;
}

type Showing = { what: "picture" } | { what: "film"; motion: string; job: Job | undefined } | { what: "live" };

export function FigureCard({ figure, kiosk, onBack }: FigureCardProps) {
  const t = useText();
  const { language } = useLanguage();
  const { loaded: motions } = useLoad(api.motions, []);
  const [showing, setShowing] = useState<Showing>({ what: "picture" });
  const [error, setError] = useState<unknown>();
  const heading = useRef<HTMLHeadingElement>(null);
  const options: Options = { label: true, language };
  const live = useLive({ figure: figure.id }, { ...options, crop: true }, LIVE_SIZE);
  const stopFollowing = useRef<(() => void) | undefined>(undefined);

  useEffect(() => {
    heading.current?.focus();
    const escape = (event: KeyboardEvent) => event.key === "Escape" && onBack();
    addEventListener("keydown", escape);
    return () => {
      removeEventListener("keydown", escape);
      stopFollowing.current?.();
    };
  }, []);

  const still = () => {
    stopFollowing.current?.();
    live.stop();
    setError(undefined);
    setShowing({ what: "picture" });
  };

  const move = async (motion: string) => {
    still();
    setShowing({ what: "film", motion, job: undefined });
    try {
      const { job } = await api.animate({ figure: figure.id }, { motion }, { ...options, format: "mp4", size: FILM_SIZE });
      stopFollowing.current = followJob(job, (job) => setShowing({ what: "film", motion, job }), setError);
    } catch (refused) {
      setError(refused);
      setShowing({ what: "picture" });
    }
  };

  const be = () => {
    still();
    setShowing({ what: "live" });
    void live.start();
  };

  const film = showing.what === "film" ? showing.job : undefined;
  const making = showing.what === "film" && (film === undefined || !ended(film));
  const moving = film?.state === "done" || live.state.phase === "running";

  return (
    <section class="figure" aria-labelledby="figure-name">
      <button type="button" class="quiet back" onClick={onBack}>
        <Icon name="back" />
        {t.gallery.back}
      </button>
      <div class="exhibit">
        <figure class="frame">
          {film?.state === "done" && (
            <video src={api.jobFile(film.id)} autoplay loop muted playsInline aria-label={`${figure.name}. ${t.gallery.animated}`} />
          )}
          <canvas ref={live.canvas} role="img" aria-label={`${figure.name}. ${t.gallery.animated}`} hidden={live.state.phase !== "running"} />
          {!moving && <img src={api.figureImage(figure.id)} alt={figure.name} />}
          {moving && <figcaption>{t.gallery.animated}</figcaption>}
        </figure>
        <p class="making-of" role="status">
          {making && t.gallery.making}
        </p>
        {making && <progress aria-label={t.gallery.making} max={1} {...(film && { value: share(film) ?? 0 })} />}
      </div>
      <div class="card">
        <h1 id="figure-name" ref={heading} tabIndex={-1}>
          {figure.name}
        </h1>
        <p class="when">{figure.when}</p>
        <p class="lead">{figure.who}</p>
        <p>{figure.text}</p>
        <h2>{t.gallery.moves}</h2>
        <div class="moves">
          {motions.state === "ready" &&
            motions.value.map(({ name }) => (
              <button
                key={name}
                type="button"
                aria-pressed={showing.what === "film" && showing.motion === name}
                onClick={() => void move(name)}
              >
                {t.animate.motions[name] ?? name}
              </button>
            ))}
          <button type="button" aria-pressed={showing.what === "live"} onClick={showing.what === "live" ? still : be}>
            <Icon name="camera" />
            {showing.what === "live" ? t.gallery.beStop : t.gallery.be}
          </button>
          {moving && (
            <button type="button" class="quiet" onClick={still}>
              {t.gallery.still}
            </button>
          )}
        </div>
        {live.state.phase === "running" && !live.state.face && <p role="status">{t.live.noFace}</p>}
        {motions.state === "failed" && <Trouble error={motions.error} />}
        {film?.state === "failed" && <TroubleLine line={film.error ?? t.job.failed} />}
        {error !== undefined && <Trouble error={error} />}
        {live.state.error !== undefined && <Trouble error={live.state.error} />}
        {live.state.refusal && <TroubleLine line={live.state.refusal} />}
        <dl class="provenance">
          <dt>{t.gallery.source}</dt>
          <dd>{figure.source}</dd>
          <dt>{t.gallery.licence}</dt>
          <dd>{figure.licence}</dd>
        </dl>
        {!kiosk && (
          <a class="button quiet" href={`/?figure=${encodeURIComponent(figure.id)}`} onClick={follow}>
            {t.gallery.use}
          </a>
        )}
      </div>
    </section>
  );
}
