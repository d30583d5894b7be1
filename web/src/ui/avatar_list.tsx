// The avatars that are kept on the studio's machine.

import { useState } from "preact/hooks";
import * as api from "../api/client";
import type { Avatar } from "../api/types";
import { follow } from "../router";
import { useLanguage, useText } from "../text/language";
import { Confirm } from "./confirm";
import { usePortrait } from "./portrait_picker";
import { Trouble } from "./trouble";

interface AvatarListProps {
  avatars: Avatar[];
  /** Id of the one that was just made, whose strip is open. */
  newest: string | undefined;
  onChange: () => void;
}

export function AvatarList({ avatars, newest, onChange }: AvatarListProps) {
  const t = useText().personalise;
  const { language } = useLanguage();
  const [portrait, setPortrait] = usePortrait();
  const [doomed, setDoomed] = useState<Avatar>();
  const [error, setError] = useState<unknown>();

  const remove = async (avatar: Avatar) => {
    setDoomed(undefined);
    try {
      await api.deleteAvatar(avatar.id);
      if (portrait && "avatar" in portrait.id && portrait.id.avatar === avatar.id) setPortrait(undefined);
      setError(undefined);
      onChange();
    } catch (refused) {
      setError(refused);
    }
  };

  if (avatars.length === 0) return <p class="nothing">{t.none}</p>;
  return (
    <>
      {error !== undefined && <Trouble error={error} />}
      <ul class="avatars">
        {avatars.map((avatar) => (
          <li key={avatar.id}>
            <img class="thumb" src={api.avatarImage(avatar.id)} alt="" />
            <div>
              <h3>{avatar.name}</h3>
              <p class="hint">
                {t.count(avatar.photos)}
                {avatar.tuned && `, ${t.tuned}`}, {new Date(avatar.created).toLocaleDateString(language, { dateStyle: "long" })}
              </p>
              <div class="row">
                <a class="button quiet" href={`/?avatar=${encodeURIComponent(avatar.id)}`} onClick={follow}>
                  {t.use}
                </a>
                <a class="button quiet" href={`/live?avatar=${encodeURIComponent(avatar.id)}`} onClick={follow}>
                  {t.live}
                </a>
                <button type="button" class="quiet danger" onClick={() => setDoomed(avatar)}>
                  {t.delete}
                </button>
              </div>
              <details open={avatar.id === newest}>
                <summary>{t.before}</summary>
                <img class="strip" src={api.avatarStrip(avatar.id)} alt={t.stripOf(avatar.name)} loading="lazy" />
              </details>
            </div>
          </li>
        ))}
      </ul>
      {doomed && (
        <Confirm
          title={t.deleteTitle(doomed.name)}
          lead={t.deleteLead}
          yes={t.deleteNow}
          no={t.keep}
          onYes={() => void remove(doomed)}
          onNo={() => setDoomed(undefined)}
        />
      )}
    </>
  );
}
