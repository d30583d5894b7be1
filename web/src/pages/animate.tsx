// A portrait performs a motion: choose both, adjust, make the film, watch and download it.

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import * as api from "../api/client";
import { ended } from "../api/jobs";
import type { AnimateResult, Format, Gains, Info, Options } from "../api/types";
import { useKept } from "../flow/kept";
import { useJob } from "../flow/use_job";
import { useLanguage, useText } from "../text/language";
import { Adjust, NORMAL } from "../ui/adjust";
import { Background } from "../ui/background";
import { Choice } from "../ui/choice";
import { type Declared, Declaration, UNDECLARED } from "../ui/declaration";
import { type ChosenDrive, DrivePicker } from "../ui/drive_picker";
import { Film } from "../ui/film";
import { JobProgress } from "../ui/job_progress";
import { useLoad } from "../ui/load";
import { PortraitPicker, usePortrait } from "../ui/portrait_picker";
import { Preview } from "../ui/preview";
import { Switch } from "../ui/switch";
import { Trouble, TroubleLine } from "../ui/trouble";

interface Output {
  crop: boolean;
  label: boolean;
  format: Format;
  /** What is behind the person, as the server takes it. */
  background?: string;
}

const FORMATS: Format[] = ["mp4", "webp", "gif"];
/** The one of them that can be transparent. */
const WITH_ALPHA: Format = "webp";

export function Animate({ info, search }: { info: Info; search: URLSearchParams }) {
  const t = useText();
  const { language } = useLanguage();
  const [portrait, setPortrait] = usePortrait();
  const [drive, setDrive] = useKept<ChosenDrive | undefined>("drive", undefined);
  const [gains, setGains] = useKept<Gains>("gains", NORMAL);
  const [output, setOutput] = useKept<Output>("output", { crop: false, label: true, format: "mp4" });
  const [declared, setDeclared] = useKept<Declared>("declared", UNDECLARED);
  const { job, error: lost, start, forget } = useJob("animate");
  const [error, setError] = useState<unknown>();

  // A first motion is chosen, so that a portrait moves as soon as it is there.
  const { loaded: motions } = useLoad(api.motions, []);
  useEffect(() => {
    const first = motions.state === "ready" && motions.value[0];
    if (portrait && !drive && first) setDrive({ drive: { motion: first.name }, seconds: first.seconds });
  }, [portrait, motions]);

  const options: Options = {
    ...gains,
    crop: output.crop,
    label: output.label,
    language,
    ...(portrait?.photo && { subject: declared.subject }),
    ...(portrait?.photo && declared.subject === "consented" && declared.consent && { consent: declared.consent }),
  };

  const background = output.background ?? "keep";
  const transparent = background === "transparent";
  const formats = transparent ? [WITH_ALPHA] : FORMATS;
  const format = transparent ? WITH_ALPHA : output.format;

  const render = async () => {
    if (!portrait || !drive) return;
    setError(undefined);
    try {
      start((await api.animate(portrait.id, drive.drive, { ...options, format, background })).job);
    } catch (refused) {
      setError(refused);
    }
  };

  // The button that was pressed is gone when the film is there: keyboards and screen readers go on at its heading.
  const finished = useRef<HTMLHeadingElement>(null);
  const done = job?.state === "done";
  useLayoutEffect(() => {
    if (done) finished.current?.focus();
  }, [done]);

  const anew = () => {
    setError(undefined);
    forget();
  };

  if (job && done) {
    return (
      <article class="animate">
        <h1 tabIndex={-1} ref={finished}>
          {t.animate.watch}
        </h1>
        <Film job={job.id} result={job.result as AnimateResult} name={portrait?.name ?? ""} />
        <button type="button" class="quiet" onClick={anew}>
          {t.animate.anew}
        </button>
      </article>
    );
  }

  const working = job !== undefined && !ended(job);
  return (
    <article class="animate">
      <header class="opening">
        <h1 tabIndex={-1}>{t.animate.title}</h1>
        <p class="lead">{t.animate.lead}</p>
      </header>
      <div class={portrait ? "workshop" : "workshop empty"}>
        <div class="stage">
          {portrait && drive && (
            <Preview
              key={portrait.image}
              portrait={portrait.id}
              name={portrait.name}
              image={portrait.image}
              drive={drive.drive}
              seconds={drive.seconds}
              options={options}
            />
          )}
          {portrait && !drive && (
            <div class="frame">
              <img src={portrait.image} alt={portrait.name} />
            </div>
          )}
          {!portrait && <PortraitPicker info={info} search={search} portrait={portrait} onChange={setPortrait} />}
        </div>
        {portrait && (
          <div class="controls">
            <section>
              <h2>{t.portrait.title}</h2>
              <PortraitPicker info={info} search={search} portrait={portrait} onChange={setPortrait} />
              {portrait.photo && <Declaration declared={declared} onChange={setDeclared} />}
            </section>
            <section>
              <h2>{t.animate.motion}</h2>
              <DrivePicker info={info} chosen={drive} onChange={setDrive} />
            </section>
            <section>
              <h2>{t.animate.adjust}</h2>
              <Adjust gains={gains} onChange={setGains} />
            </section>
            <section>
              <h2>{t.animate.output}</h2>
              <Switch label={t.animate.crop} on={output.crop} onChange={(crop) => setOutput({ ...output, crop })} />
              <Switch label={t.animate.label} on={output.label} onChange={(label) => setOutput({ ...output, label })} />
              <Background background={background} onChange={(background) => setOutput({ ...output, background })} />
              <Choice<Format>
                legend={t.animate.format}
                value={format}
                options={formats.map((format) => ({ value: format, label: t.animate.formats[format] }))}
                onChange={(format) => setOutput({ ...output, format })}
              />
            </section>
            <section class="making">
              {job && working ? (
                <JobProgress job={job} title={t.animate.rendering} onStop={() => void api.stopJob(job.id).catch(setError)} />
              ) : (
                <button type="button" class="main" disabled={!drive} onClick={() => void render()}>
                  {t.animate.render}
                </button>
              )}
              {!drive && <p class="hint">{t.animate.needMotion}</p>}
              {job?.state === "stopped" && <p role="status">{t.animate.stopped}</p>}
              {job?.state === "failed" && <TroubleLine line={job.error ?? t.job.failed} />}
              {error !== undefined && <Trouble error={error} />}
              {lost !== undefined && <TroubleLine line={t.job.lost} />}
            </section>
          </div>
        )}
      </div>
    </article>
  );
}
