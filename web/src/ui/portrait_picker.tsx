// Choosing whose face is shown: a photo, a figure of the gallery or an avatar. The choice is shared by all pages.

import { useEffect, useState } from "preact/hooks";
import * as api from "../api/client";
import type { Info } from "../api/types";
import { useKept } from "../flow/kept";
import { settle } from "../router";
import { useLanguage, useText } from "../text/language";
import { Dropzone } from "./dropzone";
import { Faces } from "./faces";
import { useLoad } from "./load";
import { ofAvatar, ofFigure, ofPhoto, type Portrait, size } from "./portrait";
import { Trouble, TroubleLine } from "./trouble";

/** The chosen portrait, the same on every page. */
export function usePortrait(): [Portrait | undefined, (portrait: Portrait | undefined) => void] {
  return useKept<Portrait | undefined>("portrait", undefined);
}

interface PickerProps {
  info: Info;
  /** Asked for by the page's address, as `?figure=ID` or `?avatar=ID`. */
  search: URLSearchParams;
  portrait: Portrait | undefined;
  onChange: (portrait: Portrait | undefined) => void;
}

export function PortraitPicker({ info, search, portrait, onChange }: PickerProps) {
  const t = useText();
  const { language } = useLanguage();
  const figures = useLoad(() => api.figures(language), [language]).loaded;
  const avatars = useLoad(api.avatars, []).loaded;
  const [uploading, setUploading] = useState(false);
  const [trouble, setTrouble] = useState<string>();
  const [error, setError] = useState<unknown>();

  const wanted = [search.get("figure"), search.get("avatar")];
  useEffect(() => {
    const figure = figures.state === "ready" && figures.value.find(({ id }) => id === wanted[0]);
    const avatar = avatars.state === "ready" && avatars.value.find(({ id }) => id === wanted[1]);
    if (figure) onChange(ofFigure(figure));
    else if (avatar) onChange(ofAvatar(avatar));
    else return;
    settle();
  }, [figures, avatars, ...wanted]);

  const choose = (chosen: Portrait | undefined) => {
    setTrouble(undefined);
    setError(undefined);
    onChange(chosen);
    // What was pressed is gone: keyboards go on where the choice now stands.
    requestAnimationFrame(() => {
      const next = document.querySelector<HTMLElement>(chosen ? ".chosen .change" : ".picker .file");
      next?.focus({ preventScroll: true });
      if (chosen) scrollTo(0, 0);
    });
  };

  const upload = async ([file]: File[]) => {
    if (!file) return;
    choose(undefined);
    if (file.size > info.limits.photo_bytes) {
      setTrouble(t.portrait.tooLarge(size(file.size), size(info.limits.photo_bytes)));
      return;
    }
    setUploading(true);
    try {
      const photo = await api.addPhoto(file);
      if (photo.faces.length > 0) choose(ofPhoto(photo, file.name, 0));
      else setTrouble(t.portrait.noFace);
    } catch (refused) {
      setError(refused);
    } finally {
      setUploading(false);
    }
  };

  if (portrait) {
    return <Chosen portrait={portrait} onChange={choose} />;
  }
  return (
    <div class="picker">
      <Dropzone
        icon="photo"
        invitation={t.portrait.drop}
        button={t.portrait.file}
        hint={t.portrait.hint}
        accept="image/*"
        busy={uploading ? t.portrait.uploading : undefined}
        onFiles={(files) => void upload(files)}
      />
      <div class="shelves">
        {trouble && <TroubleLine line={trouble} />}
        {error !== undefined && <Trouble error={error} />}
        {avatars.state === "ready" && avatars.value.length > 0 && (
          <Shelf title={t.portrait.avatars} portraits={avatars.value.map(ofAvatar)} onChoose={choose} />
        )}
        {figures.state === "ready" && figures.value.length > 0 && (
          <Shelf title={t.portrait.gallery} portraits={figures.value.map(ofFigure)} onChoose={choose} />
        )}
        {figures.state === "failed" && <Trouble error={figures.error} />}
      </div>
    </div>
  );
}

function Chosen({ portrait, onChange }: { portrait: Portrait; onChange: PickerProps["onChange"] }) {
  const t = useText();
  const { photo } = portrait;
  const face = "photo" in portrait.id ? (portrait.id.face ?? 0) : 0;
  return (
    <div class={photo ? "chosen wide" : "chosen"}>
      {photo ? (
        <Faces photo={photo} chosen={face} onChoose={(chosen) => onChange(ofPhoto(photo, portrait.name, chosen))} />
      ) : (
        <img class="thumb" src={portrait.image} alt="" />
      )}
      <div>
        <p class="name">{portrait.name}</p>
        {photo && <p class="hint">{t.portrait.faces(photo.faces.length)}</p>}
        {photo?.notes.map((note) => (
          <p class="hint" lang="en" key={note}>
            {note}
          </p>
        ))}
        <button type="button" class="quiet change" onClick={() => onChange(undefined)}>
          {t.portrait.change}
        </button>
      </div>
    </div>
  );
}

interface ShelfProps {
  title: string;
  portraits: Portrait[];
  onChoose: (portrait: Portrait) => void;
}

function Shelf({ title, portraits, onChoose }: ShelfProps) {
  return (
    <section class="shelf" aria-label={title}>
      <h2>{title}</h2>
      <ul>
        {portraits.map((portrait) => (
          <li key={portrait.image}>
            <button type="button" class="plate" onClick={() => onChoose(portrait)}>
              <img src={portrait.image} alt="" loading="lazy" />
              <span>{portrait.name}</span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
