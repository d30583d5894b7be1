// Requests to the studio. Whatever fails, fails as a `Refusal` with one line that can be shown as it is.

import type {
  Accepted,
  AnimateRequest,
  Avatar,
  Clip,
  Drive,
  Figure,
  Finding,
  Info,
  Job,
  LanguageCode,
  LearnRequest,
  Motion,
  Options,
  Photo,
  PortraitId,
  PreviewRequest,
  Subject,
} from "./types";

/** Why the studio did not do what it was asked. Status 0: it did not answer at all. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
    /** Seconds to wait, where the studio was too busy. */
    readonly retryAfter: number | undefined = undefined,
  ) {
    super(message);
  }

  get offline(): boolean {
    return this.status === 0;
  }
}

/** Told after each request whether the studio answered. */
type Listener = (answers: boolean) => void;
const listeners = new Set<Listener>();

/** Calls `listener` after each request with whether the studio answered; returns what ends that. */
export function watchConnection(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Other pages cannot send this header, so the studio knows that a request is its own page's. */
const OWN_PAGE = { "X-Gioconda": "studio" };

async function send(path: string, init: RequestInit = {}): Promise<Response> {
  const request = { ...init, headers: { ...OWN_PAGE, ...init.headers } };
  let response: Response;
  try {
    response = await fetch(path, request);
  } catch (error) {
    if (init.signal?.aborted) throw error;
    for (const listener of listeners) listener(false);
    throw new Refusal(0, "");
  }
  for (const listener of listeners) listener(true);
  if (!response.ok) throw await refusal(response);
  return response;
}

async function refusal(response: Response): Promise<Refusal> {
  const body: unknown = await response.json().catch(() => null);
  const line = body !== null && typeof body === "object" && "error" in body ? String(body.error) : "";
  const seconds = Number(response.headers.get("Retry-After"));
  return new Refusal(
    response.status,
    line || `${response.status} ${response.statusText}`.trim(),
    seconds > 0 ? seconds : undefined,
  );
}

async function read<T>(path: string, init?: RequestInit): Promise<T> {
  return (await send(path, init)).json() as Promise<T>;
}

function json(body: unknown): RequestInit {
  return { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
}

function bytes(body: Blob): RequestInit {
  return { method: "POST", body, headers: { "Content-Type": "application/octet-stream" } };
}

const part = encodeURIComponent;

export const info = () => read<Info>("/api/info");
export const healthy = () => send("/healthz");
export const motions = () => read<Motion[]>("/api/motions");
export const figures = (language: LanguageCode) => read<Figure[]>(`/api/figures?language=${language}`);
export const avatars = () => read<Avatar[]>("/api/avatars");
export const job = (id: string) => read<Job>(`/api/jobs/${part(id)}`);
export const credentials = (id: string) => read<Finding>(`/api/jobs/${part(id)}/credentials`);

export const addPhoto = (file: Blob) => read<Photo>("/api/photos", bytes(file));
export const addClip = (file: Blob) => read<Clip>("/api/clips", bytes(file));
export const verify = (file: File) => read<Finding>(`/api/verify?name=${part(file.name)}`, bytes(file));

export const animate = (portrait: PortraitId, drive: Drive, options: Options) =>
  read<Accepted>("/api/animate", json({ portrait, drive, options } satisfies AnimateRequest));
export const learn = (photos: string[], name: string, subject: Subject, consent: string) =>
  read<Accepted>("/api/learn", json({ photos, name, subject, ...(consent && { consent }) } satisfies LearnRequest));
export const resume = (id: string) => send(`/api/jobs/${part(id)}/resume`, { method: "POST" });

export const stopJob = (id: string) => send(`/api/jobs/${part(id)}`, { method: "DELETE" });
export const deletePhoto = (id: string) => send(`/api/photos/${part(id)}`, { method: "DELETE" });
export const deleteAvatar = (id: string) => send(`/api/avatars/${part(id)}`, { method: "DELETE" });

/** One frame, at `at` seconds of the drive. */
export async function preview(portrait: PortraitId, drive: Drive, options: Options, at: number): Promise<Blob> {
  return (await send("/api/preview", json({ portrait, drive, options, at } satisfies PreviewRequest))).blob();
}

export const photoImage = (id: string) => `/api/photos/${part(id)}/image`;
export const figureImage = (id: string) => `/api/figures/${part(id)}/image`;
export const avatarImage = (id: string) => `/api/avatars/${part(id)}/image`;
export const avatarStrip = (id: string) => `/api/avatars/${part(id)}/strip`;
export const jobFile = (id: string) => `/api/jobs/${part(id)}/file`;
export const jobEvents = (id: string) => `/api/jobs/${part(id)}/events`;

/** The address of a WebSocket of the studio that served this page. */
export function socket(path: string): string {
  return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`;
}
