// Two or more people in a room, each of them a portrait.

import { useState } from "preact/hooks";
import type { Info } from "../api/types";
import { useKept } from "../flow/kept";
import { newRoom } from "../flow/room_names";
import { useCall } from "../live/use_call";
import { goTo } from "../router";
import { soundWorks } from "../sound/microphone";
import { useLanguage, useText } from "../text/language";
import { CopyAddress } from "../ui/copy_address";
import { Icon } from "../ui/icons";
import { PortraitPicker, usePortrait } from "../ui/portrait_picker";
import { Seat } from "../ui/seat";
import { Trouble, TroubleLine } from "../ui/trouble";

interface CallProps {
  info: Info;
  search: URLSearchParams;
  room: string | undefined;
}

export function Call({ info, search, room }: CallProps) {
  return room === undefined ? <Entrance /> : <Room key={room} info={info} search={search} room={room} />;
}

function Entrance() {
  const t = useText().call;
  return (
    <article class="call narrow">
      <header class="opening">
        <h1 tabIndex={-1}>{t.title}</h1>
        <p class="lead">{t.lead}</p>
      </header>
      <button type="button" class="main" onClick={() => goTo(`/call/${newRoom()}`)}>
        {t.create}
      </button>
    </article>
  );
}

function Room({ info, search, room }: { info: Info; search: URLSearchParams; room: string }) {
  const t = useText();
  const { language } = useLanguage();
  const [portrait, setPortrait] = usePortrait();
  const [name, setName] = useKept("own name", "");
  const [left, setLeft] = useState(false);
  const call = useCall(room);
  const { state } = call;
  const address = `${location.origin}/call/${encodeURIComponent(room)}`;

  if (state.phase === "inside" || state.phase === "lost") {
    return (
      <article class="call">
        <h1 tabIndex={-1} class="heard">
          {t.call.title}
        </h1>
        {state.phase === "lost" && <TroubleLine line={t.call.lost} />}
        <ul class="seats">
          {state.own !== undefined && (
            <Seat id={state.own} name={name || t.call.own} own image={portrait?.image} attach={call.attach} />
          )}
          {state.others.map(({ id, name }) => (
            <Seat key={id} id={id} name={name || t.call.guest(id)} attach={call.attach} />
          ))}
        </ul>
        <div class="news" role="status">
          {!state.face && <p>{t.live.noFace}</p>}
          {state.phase === "inside" && (
            <p>{state.others.length === 0 ? t.call.waiting : t.call.participants(state.others.length + 1)}</p>
          )}
        </div>
        <div class="row centred">
          <button type="button" disabled={!soundWorks()} aria-pressed={state.speaking} onClick={() => void call.speak(!state.speaking)}>
            <Icon name={state.speaking ? "mic" : "mic-off"} />
            {state.speaking ? t.call.mute : t.call.unmute}
          </button>
          <button
            type="button"
            class="danger"
            onClick={() => {
              call.leave();
              setLeft(true);
            }}
          >
            <Icon name="leave" />
            {t.call.leave}
          </button>
        </div>
        <p class="hint centred">{soundWorks() ? (state.speaking ? t.call.unmuted : t.call.muted) : t.live.noSound}</p>
        {state.refusal && <TroubleLine line={state.refusal} />}
        {state.error !== undefined && <Trouble error={state.error} />}
        <CopyAddress label={t.call.link} address={address} />
      </article>
    );
  }

  return (
    <article class="call">
      <header class="opening">
        <h1 tabIndex={-1}>{t.call.joinTitle(room)}</h1>
        <p class="lead">{t.call.lead}</p>
      </header>
      {left && <p role="status">{t.call.left}</p>}
      {state.phase === "full" && (
        <div class="trouble" role="alert">
          <Icon name="warning" />
          <div>
            <p>{t.call.full}</p>
            <p>{t.call.fullLead}</p>
          </div>
          <button type="button" class="quiet" onClick={() => goTo(`/call/${newRoom()}`)}>
            {t.call.another}
          </button>
        </div>
      )}
      {state.refusal && <TroubleLine line={state.refusal} />}
      {state.error !== undefined && <Trouble error={state.error} />}
      <div class="columns">
        <section>
          <h2>{t.portrait.title}</h2>
          <PortraitPicker info={info} search={search} portrait={portrait} onChange={setPortrait} />
        </section>
        <section>
          <h2>{t.call.name}</h2>
          <input
            type="text"
            aria-label={t.call.name}
            placeholder={t.call.namePlaceholder}
            maxLength={40}
            value={name}
            onInput={(event) => setName(event.currentTarget.value)}
          />
          <button
            type="button"
            class="main"
            disabled={!portrait || state.phase === "joining"}
            onClick={() => portrait && void call.join(portrait.id, name.trim(), { label: true, language, crop: true })}
          >
            {state.phase === "joining" ? t.call.joining : t.call.join}
          </button>
          {!portrait && <p class="hint">{t.animate.needPortrait}</p>}
          <CopyAddress label={t.call.link} address={address} />
        </section>
      </div>
    </article>
  );
}
