// What the studio's HTTP and WebSocket interface takes and answers, by the names that pages use. The types come from
// the server's code by way of schema.ts, which `npm run types` writes; how they are used is told in docs/api.md.

import type { components } from "./schema";

type Schemas = components["schemas"];

export type LanguageCode = Schemas["LanguageCode"];
export type Info = Schemas["Info"];

export type Box = Schemas["FaceBox"];
export type Photo = Schemas["PhotoCard"];
export type Clip = Schemas["ClipCard"];
export type Motion = Schemas["MotionCard"];
export type Figure = Schemas["Figure"];
export type Avatar = Schemas["AvatarCard"];

export type PortraitId = Schemas["PortraitId"];
export type Drive = Schemas["DriveId"];
export type Subject = Schemas["DeclaredSubject"];
export type Format = Schemas["Format"];
export type Options = Schemas["Options"];
/** The options that say how strongly what moves, each with a value. The server has no type for them alone. */
export type Gains = Required<Pick<Options, "expression" | "pose" | "eyes" | "mouth" | "smoothing">>;

export type AnimateRequest = Schemas["AnimateRequest"];
export type LearnRequest = Schemas["LearnRequest"];
export type PreviewRequest = Schemas["PreviewRequest"];
export type Accepted = Schemas["Accepted"];

export type Job = Schemas["JobView"];
export type AnimateResult = Extract<Schemas["JobResult"], { file: string }>;
export type LearnResult = Extract<Schemas["JobResult"], { avatar: string }>;

export type Finding = Schemas["Finding"];
export type Claims = Schemas["Claims"];

export type LiveRequest = Schemas["LiveRequest"];
export type LiveNews = Schemas["LiveAnswer"];
