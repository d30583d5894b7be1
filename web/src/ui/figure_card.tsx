// A figure of the gallery: the picture, its card, and big buttons that let it move. Always labelled as animated.

import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import * as api from "../api/client";
import { ended, share } from "../api/jobs";
import type { Figure, Options } from "../api/types";
import { useFigureFilm } from "../flow/use_figure_film";
import { useLive } from "../live/use_live";
import { follow } from "../router";
import { useLanguage, useText } from "../text/language";
import { Icon } from "./icons";
import { useLoad } from "./load";
import { Trouble, TroubleLine } from "./trouble";

/** Side of the live portrait in pixels. */
const LIVE_SIZE = 384;

interface FigureCardProps {
  figure: Figure;
  kiosk: boolean;
  onBack: () => void;
}

/** Longest side of a figure's film, pixels: whoever pressed the button is waiting for it. */
const FILM_SIZE = 768;

export function FigureCard({ figure, kiosk, onBack }: FigureCardProps) {
  const t = useText();
  const { language } = useLanguage();
  const { loaded: motions } = useLoad(api.motions, []);
  const heading = useRef<HTMLHeadingElement>(null);
  const options: Options = { label: true, language };
  const film = useFigureFilm(figure.id, { ...options, size: FILM_SIZE });
  const live = useLive({ figure: figure.id }, { ...options, crop: true }, LIVE_SIZE);

  // With the card, not after it is painted: keys pressed at once are the card's.
  useLayoutEffect(() => {
    heading.current?.focus();
    const escape = (event: KeyboardEvent) => event.key === "Escape" && onBack();
    addEventListener("keydown", escape);
    return () => removeEventListener("keydown", escape);
  }, []);

  const still = () => {
    film.clear();
    live.stop();
  };
  const move = (motion: string) => {
    live.stop();
    void film.play(motion);
  };
  const be = () => {
    film.clear();
    void live.start();
  };

  const { job } = film;
  const exhibit = useRef<HTMLDivElement>(null);
  const making = film.motion !== undefined && (job === undefined || !ended(job));
  const playing = job?.state === "done" ? job : undefined;
  const performing = live.state.phase === "running";
  const camera = performing || live.state.phase === "starting";
  const moving = playing !== undefined || performing;
  // On a phone the buttons stand below the picture.
  useEffect(() => {
    if (making || camera) exhibit.current?.scrollIntoView({ block: "nearest" });
  }, [making, camera]);
  const animated = `${figure.name}. ${t.gallery.animated}`;

  return (
    <section class="figure" aria-labelledby="figure-name">
      <button type="button" class="quiet back" onClick={onBack}>
        <Icon name="back" />
        {t.gallery.back}
      </button>
      <div class="exhibit" ref={exhibit}>
        <figure class="frame">
          {playing && <video src={api.jobFile(playing.id)} autoplay loop muted playsInline aria-label={animated} />}
          <canvas ref={live.canvas} role="img" aria-label={animated} hidden={!performing} />
          {!moving && <img src={api.figureImage(figure.id)} alt={figure.name} />}
          {moving && <figcaption>{t.gallery.animated}</figcaption>}
        </figure>
        <p class="making-of" role="status">
          {making && t.gallery.making}
        </p>
        {making && <progress aria-label={t.gallery.making} max={1} value={(job && share(job)) ?? 0} />}
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
                aria-pressed={film.motion === name}
                onClick={() => move(name)}
              >
                {t.animate.motions[name] ?? name}
              </button>
            ))}
          <button type="button" aria-pressed={camera} onClick={camera ? still : be}>
            <Icon name="camera" />
            {camera ? t.gallery.beStop : t.gallery.be}
          </button>
          {moving && (
            <button type="button" class="quiet" onClick={still}>
              {t.gallery.still}
            </button>
          )}
        </div>
        {performing && !live.state.face && <p role="status">{t.live.noFace}</p>}
        {motions.state === "failed" && <Trouble error={motions.error} />}
        {job?.state === "failed" && <TroubleLine line={job.error ?? t.job.failed} />}
        {film.error !== undefined && <Trouble error={film.error} />}
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
