// Several photos of one person become an avatar.

import { useState } from "preact/hooks";
import * as api from "../api/client";
import { ended } from "../api/jobs";
import type { Info, LearnResult, Photo } from "../api/types";
import { useKept } from "../flow/kept";
import { useJob } from "../flow/use_job";
import { useText } from "../text/language";
import { AvatarList } from "../ui/avatar_list";
import { type Declared, Declaration, UNDECLARED } from "../ui/declaration";
import { Dropzone } from "../ui/dropzone";
import { Icon } from "../ui/icons";
import { JobProgress } from "../ui/job_progress";
import { useLoad } from "../ui/load";
import { size } from "../ui/portrait";
import { explain, Trouble, TroubleLine } from "../ui/trouble";

interface Snapshot {
  photo: Photo;
  name: string;
}

export function Personalise({ info }: { info: Info }) {
  const t = useText();
  const words = t.personalise;
  const [photos, setPhotos] = useKept<Snapshot[]>("snapshots", []);
  const [name, setName] = useKept("avatar name", "");
  const [declared, setDeclared] = useKept<Declared>("avatar declared", UNDECLARED);
  const [reading, setReading] = useState(false);
  const [refused, setRefused] = useState<string[]>([]);
  const [error, setError] = useState<unknown>();
  const { job, error: lost, start, forget } = useJob("learn");
  const made = job?.state === "done" ? (job.result as LearnResult).avatar : undefined;
  const { loaded: avatars, again } = useLoad(api.avatars, [made]);

  const add = async (files: File[]) => {
    const room = info.limits.photos - photos.length;
    const [added, problems]: [Snapshot[], string[]] = [[], []];
    setReading(true);
    for (const file of files.slice(0, room)) {
      if (file.size > info.limits.photo_bytes) {
        problems.push(`${file.name}: ${t.portrait.tooLarge(size(file.size), size(info.limits.photo_bytes))}`);
        continue;
      }
      try {
        const photo = await api.addPhoto(file);
        if (photo.faces.length > 0) added.push({ photo, name: file.name });
        else problems.push(`${file.name}: ${t.portrait.noFace}`);
      } catch (failure) {
        problems.push(`${file.name}: ${explain(failure, t)}`);
      }
    }
    setPhotos([...photos, ...added]);
    setRefused(problems);
    setReading(false);
  };

  const drop = (gone: Snapshot) => {
    setPhotos(photos.filter((kept) => kept !== gone));
    // Where it cannot be deleted now, the studio forgets it by itself.
    api.deletePhoto(gone.photo.id).catch(() => {});
  };

  const learn = async () => {
    setError(undefined);
    try {
      const ids = photos.map(({ photo }) => photo.id);
      start((await api.learn(ids, name.trim(), declared.subject, declared.consent)).job);
    } catch (failure) {
      setError(failure);
    }
  };

  const goOn = async (id: string) => {
    try {
      await api.resume(id);
      start(id);
    } catch (failure) {
      setError(failure);
    }
  };

  const discard = (id: string) => {
    // Where it cannot be deleted now, the studio forgets it by itself.
    api.stopJob(id).catch(() => {});
    forget();
  };

  const working = job !== undefined && !ended(job);
  return (
    <article class="personalise">
      <header class="opening">
        <h1 tabIndex={-1}>{words.title}</h1>
        <p class="lead">{words.lead}</p>
      </header>
      <div class="columns">
        <section>
          <h2>{words.photos}</h2>
          {photos.length > 0 && (
            <ul class="snapshots">
              {photos.map((snapshot, index) => (
                <li key={snapshot.photo.id}>
                  <img src={api.photoImage(snapshot.photo.id)} alt={snapshot.name} />
                  {index === 0 ? (
                    <span class="badge">{words.first}</span>
                  ) : (
                    <button
                      type="button"
                      class="quiet small"
                      onClick={() => setPhotos([snapshot, ...photos.filter((other) => other !== snapshot)])}
                    >
                      {words.makeFirst}
                    </button>
                  )}
                  <button type="button" class="remove" aria-label={t.remove(snapshot.name)} onClick={() => drop(snapshot)}>
                    <Icon name="close" />
                  </button>
                </li>
              ))}
            </ul>
          )}
          {photos.length < info.limits.photos && (
            <Dropzone
              icon="photo"
              invitation={words.drop}
              button={words.file}
              hint={words.hint(info.limits.photos)}
              accept="image/*"
              several
              busy={reading ? t.portrait.uploading : undefined}
              onFiles={(files) => void add(files)}
            />
          )}
          {refused.length > 0 && (
            <div class="trouble" role="alert">
              <Icon name="warning" />
              <div>
                <p>{words.failedOnes}</p>
                <ul>
                  {refused.map((line) => (
                    <li key={line}>{line}</li>
                  ))}
                </ul>
              </div>
            </div>
          )}
        </section>
        <section>
          <h2>{words.name}</h2>
          <input
            type="text"
            aria-label={words.name}
            placeholder={words.namePlaceholder}
            maxLength={60}
            value={name}
            onInput={(event) => setName(event.currentTarget.value)}
          />
          <Declaration declared={declared} onChange={setDeclared} />
          {job && working ? (
            <JobProgress job={job} title={words.learning(name)} onStop={() => void api.stopJob(job.id).catch(setError)} />
          ) : (
            <button
              type="button"
              class="main"
              disabled={photos.length === 0 || name.trim() === ""}
              onClick={() => void learn()}
            >
              {words.learn}
            </button>
          )}
          {!working && photos.length === 0 && <p class="hint">{words.needPhotos}</p>}
          {!working && photos.length > 0 && name.trim() === "" && <p class="hint">{words.needName}</p>}
          {job?.state === "stopped" && (
            <div class="row" role="status">
              <p>{words.stopped}</p>
              <button type="button" onClick={() => void goOn(job.id)}>
                {words.resume}
              </button>
              <button type="button" class="quiet" onClick={() => discard(job.id)}>
                {words.discard}
              </button>
            </div>
          )}
          {job?.state === "failed" && <TroubleLine line={job.error ?? t.job.failed} />}
          {made && (
            <p class="ready" role="status">
              {words.done(name)}
            </p>
          )}
          {error !== undefined && <Trouble error={error} />}
          {lost !== undefined && <TroubleLine line={t.job.lost} />}
        </section>
      </div>
      <section class="saved">
        <h2>{words.saved}</h2>
        {avatars.state === "loading" && <p role="status">{t.loading}</p>}
        {avatars.state === "failed" && <Trouble error={avatars.error} again={again} />}
        {avatars.state === "ready" && <AvatarList avatars={avatars.value} newest={made} onChange={again} />}
      </section>
    </article>
  );
}
