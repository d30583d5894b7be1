// The webcam moves a portrait, side by side; a page of the portrait alone for OBS.

import { useEffect, useState } from "preact/hooks";
import type { Info, Options } from "../api/types";
import { useLive } from "../live/use_live";
import { soundWorks, startMicrophone } from "../sound/microphone";
import { useLanguage, useText } from "../text/language";
import { CameraView } from "../ui/camera_view";
import { CopyAddress } from "../ui/copy_address";
import { PortraitPicker, usePortrait } from "../ui/portrait_picker";
import { Switch } from "../ui/switch";
import { Trouble, TroubleLine } from "../ui/trouble";

const SIZE = 256;

export function Live({ info, search }: { info: Info; search: URLSearchParams }) {
  const t = useText();
  const { language } = useLanguage();
  const [portrait, setPortrait] = usePortrait();
  const [label, setLabel] = useState(true);
  const options: Options = { label, language, crop: true };
  const live = useLive(portrait?.id, options, SIZE);
  const { state } = live;
  const running = state.phase === "running";

  return (
    <article class="live">
      <header class="opening">
        <h1 tabIndex={-1}>{t.live.title}</h1>
        <p class="lead">{t.live.lead}</p>
      </header>
      {portrait && (
        <div class="pair">
          <figure>
            <div class="frame square">
              {state.stream ? (
                <CameraView stream={state.stream} label={t.live.you} />
              ) : (
                <p class="waiting">{state.phase === "starting" ? t.live.starting : t.live.you}</p>
              )}
            </div>
            <figcaption>{t.live.you}</figcaption>
          </figure>
          <figure>
            <div class="frame square">
              <canvas ref={live.canvas} role="img" aria-label={t.live.portraitView} hidden={!running} />
              {!running && <img src={portrait.image} alt={portrait.name} />}
            </div>
            <figcaption>{portrait.name}</figcaption>
          </figure>
        </div>
      )}
      {portrait && (
        <div class="row centred">
          {state.stream ? (
            <>
              <button type="button" disabled={!running} title={t.live.calibrateHint} onClick={live.calibrate}>
                {t.live.calibrate}
              </button>
              <button type="button" class="quiet" onClick={live.stop}>
                {t.live.stop}
              </button>
            </>
          ) : (
            <button type="button" class="main" disabled={state.phase === "starting"} onClick={() => void live.start()}>
              {state.phase === "ended" ? t.live.again : t.live.start}
            </button>
          )}
        </div>
      )}
      <div class="news" role="status">
        {running && !state.face && <p>{t.live.noFace}</p>}
        {running && state.face && <p class="hint">{state.calibrated ? t.live.calibrated : t.live.calibrateHint}</p>}
        {state.phase === "ended" && !state.refusal && <p>{t.live.ended}</p>}
      </div>
      {state.refusal && <TroubleLine line={state.refusal} />}
      {state.error !== undefined && <Trouble error={state.error} again={() => void live.start()} />}
      {running && (
        <dl class="measures">
          <div>
            <dt>{t.live.rate}</dt>
            <dd data-measure="rate">{state.framesPerSecond.toFixed(0)}</dd>
          </div>
          <div>
            <dt>{t.live.latency}</dt>
            <dd data-measure="latency">{t.live.milliseconds(Math.round(state.latency ?? 0))}</dd>
          </div>
        </dl>
      )}
      <div class={portrait ? "columns" : "workshop empty"}>
        <section>
          <h2>{t.portrait.title}</h2>
          <PortraitPicker info={info} search={search} portrait={portrait} onChange={setPortrait} />
        </section>
        {portrait && (
          <section>
            <h2>{t.live.broadcast}</h2>
            <Switch label={t.live.label} on={label} onChange={setLabel} />
            <Voice send={(packet) => live.session()?.sendSound(packet)} running={running} />
            {state.session ? (
              <>
                <p>{t.live.broadcastLead}</p>
                <CopyAddress address={`${location.origin}/broadcast/${encodeURIComponent(state.session)}`} open />
              </>
            ) : (
              <p class="hint">{t.live.waiting}</p>
            )}
            {info.virtual_camera && <p class="hint">{t.live.virtualCamera(info.virtual_camera)}</p>}
          </section>
        )}
      </div>
    </article>
  );
}

/** The switch that lets the microphone through. */
function Voice({ send, running }: { send: (packet: Uint8Array) => void; running: boolean }) {
  const t = useText().live;
  const [on, setOn] = useState(false);
  const [error, setError] = useState<unknown>();

  useEffect(() => {
    if (!on || !running) return;
    let stop: (() => void) | undefined;
    let left = false;
    startMicrophone(send).then(
      (started) => {
        if (left) started();
        else stop = started;
      },
      (refused: unknown) => {
        setError(refused);
        setOn(false);
      },
    );
    return () => {
      left = true;
      stop?.();
    };
  }, [on, running]);

  if (!soundWorks()) return <p class="hint">{t.noSound}</p>;
  return (
    <>
      <Switch
        label={t.microphone}
        on={on}
        onChange={(wanted) => {
          setError(undefined);
          setOn(wanted);
        }}
      />
      {error !== undefined && <Trouble error={error} />}
    </>
  );
}
