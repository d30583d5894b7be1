// What the studio's HTTP and WebSocket interface takes and answers; the server's side of it is docs/api.md.

export type LanguageCode = "en" | "it" | "es";

export interface Info {
  version: string;
  kiosk: boolean;
  limits: { photo_bytes: number; clip_bytes: number; clip_seconds: number; pixels: number; photos: number };
  /** The device that shows live portraits to other programs, where there is one. */
  virtual_camera: string | null;
  languages: LanguageCode[];
}

/** In pixels of the photo, origin at its top-left corner, y down. */
export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Photo {
  id: string;
  width: number;
  height: number;
  faces: Box[];
  /** What stands in the way of a good portrait, a sentence each. */
  notes: string[];
}

export interface Clip {
  id: string;
  width: number;
  height: number;
  seconds: number;
  frames_per_second: number;
}

export interface Motion {
  name: string;
  seconds: number;
  description: string;
}

export interface Figure {
  id: string;
  name: string;
  when: string;
  who: string;
  source: string;
  licence: string;
  text: string;
}

export interface Avatar {
  id: string;
  name: string;
  photos: number;
  /** Whether a network was tuned to the person. */
  tuned: boolean;
  /** When it was made, RFC 3339. */
  created: string;
}

/** Whose face is shown; `face` counts the faces of a photo from the left, from 0. */
export type PortraitId = { photo: string; face?: number } | { figure: string } | { avatar: string };

/** What moves it. */
export type Drive = { motion: string } | { clip: string };

export type Subject = "self" | "consented" | "historical" | "artwork" | "fictional" | "undeclared";

export type Format = "mp4" | "webp" | "gif";

/** How strongly what moves: 0 is still, 1 is as performed, 2 is twice as much. Smoothing goes from 0 to 5. */
export interface Gains {
  expression: number;
  pose: number;
  eyes: number;
  mouth: number;
  smoothing: number;
}

export interface Options extends Partial<Gains> {
  size?: number;
  crop?: boolean;
  format?: Format;
  /** Whether the picture says that it is made by AI, and in which language. */
  label?: boolean;
  language?: LanguageCode;
  subject?: Subject;
  consent?: string;
}

export type JobState = "queued" | "running" | "done" | "failed" | "stopped";

export interface Job {
  id: string;
  kind: "animate" | "learn";
  state: JobState;
  /** How many jobs are before it. */
  position: number;
  done: number;
  /** Frames or steps; 0 while it is not known. */
  total: number;
  frames_per_second: number | null;
  error: string | null;
  result: AnimateResult | LearnResult | null;
}

export interface AnimateResult {
  /** A name for downloads. */
  file: string;
  mime: string;
  width: number;
  height: number;
  seconds: number;
}

export interface LearnResult {
  avatar: string;
}

/** What a file says of its own origin, as `gioconda verify --json` has it. */
export interface Finding {
  verdict: "marked" | "signed" | "unmarked" | "unverifiable" | "tampered";
  synthetic: boolean;
  manifest: Manifest;
  watermark: Watermark;
  sentence: string;
}

export interface Claims {
  issuer: string | null;
  generator: string | null;
  time: string | null;
  source: string | null;
  ingredient_source: string | null;
  subject: Subject | null;
  consent: string | null;
}

export type Manifest =
  | { status: "missing" }
  | ({ status: "valid" } & Claims)
  | { status: "tampered" | "unverifiable"; claims: Claims | null; problems: string[] }
  | { status: "elsewhere"; url: string };

export type Watermark =
  | { status: "found"; payload: { version: string; date: string; avatar: string } }
  | { status: "missing"; frames: number; all: boolean }
  | { status: "unreadable"; why: string };

/** What a page says on /api/live and /api/call, besides its camera's pictures. */
export type LiveRequest =
  | { type: "start"; portrait: PortraitId; options: Options; size: number; name?: string }
  | { type: "options"; options: Options }
  | { type: "portrait"; portrait: PortraitId }
  | { type: "calibrate" };

/** What the studio says there, besides pictures of portraits. */
export type LiveNews =
  | { type: "ready"; session?: string; participant?: number }
  | { type: "face"; found: boolean }
  | { type: "stats"; frames_per_second: number; latency_ms: number; dropped: number }
  | { type: "calibrated" }
  | { type: "error"; error: string; retry_after?: number }
  | { type: "joined"; participant: number; name: string }
  | { type: "left"; participant: number }
  | { type: "full" }
  | { type: "lost" }
  | { type: "back" };
