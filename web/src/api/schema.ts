// Made by `npm run types` of crates/gioconda/tests/snapshots/openapi.snap; not to be edited.

export type paths = Record<string, never>;
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description A job that was taken on. */
        Accepted: {
            job: components["schemas"]["Id"];
        };
        /** @description What `animate` is to do. */
        AnimateRequest: {
            drive: components["schemas"]["DriveId"];
            options?: components["schemas"]["Options"];
            portrait: components["schemas"]["PortraitId"];
        };
        /** @description A saved avatar as it is listed. */
        AvatarCard: {
            /** @description When it was made, RFC 3339. */
            created: string;
            /** @description What requests call it by. */
            id: string;
            /** @description What its maker calls it. */
            name: string;
            /** @description Of how many photos it was made. */
            photos: number;
            /** @description Whether a network was tuned to the person. */
            tuned: boolean;
        };
        /** @description What a statement says. */
        Claims: {
            /** @description Who agreed to what, where Gioconda wrote it. */
            consent: string | null;
            /** @description The program that wrote it, with its version. */
            generator: string | null;
            /** @description The same of a picture that this one was made from, where that one's own statement names a generative model. */
            ingredient_source: string | null;
            /** @description The organisation or name in the signer's certificate. */
            issuer: string | null;
            /**
             * @description Last word of the digital source type, such as `trainedAlgorithmicMedia` or `digitalCapture`: the first that names
             *     a generative model, else the first.
             */
            source: string | null;
            subject: components["schemas"]["Subject"] | null;
            /** @description When it was signed, where an authority vouches for it. */
            time: string | null;
        };
        /** @description A clip that was received. */
        ClipCard: {
            /** Format: double */
            frames_per_second: number;
            /** Format: int32 */
            height: number;
            id: components["schemas"]["Id"];
            /** Format: double */
            seconds: number;
            /** Format: int32 */
            width: number;
        };
        /** @description What a file's statement is worth. */
        Credentials: {
            /** @enum {string} */
            status: "missing";
        } | (components["schemas"]["Claims"] & {
            /** @enum {string} */
            status: "valid";
        }) | {
            claims: components["schemas"]["Claims"] | null;
            /** @description The validation codes of C2PA that failed. */
            problems: string[];
            /** @enum {string} */
            status: "tampered";
        } | {
            claims: components["schemas"]["Claims"] | null;
            /** @description The validation codes of C2PA that failed, or why it cannot be read. */
            problems: string[];
            /** @enum {string} */
            status: "unverifiable";
        } | {
            /** @enum {string} */
            status: "elsewhere";
            /** @description The address. */
            url: string;
        };
        /**
         * @description Who is shown, as its maker declares it.
         * @enum {string}
         */
        DeclaredSubject: "self" | "consented" | "historical" | "artwork" | "fictional" | "undeclared";
        /** @description What moves it. */
        DriveId: {
            /** @description Its name. */
            motion: string;
        } | {
            /** @description Its id. */
            clip: components["schemas"]["Id"];
        };
        /** @description What every failed request is answered with. */
        ErrorBody: {
            /** @description One clear line: what is wrong, and what to do. */
            error: string;
        };
        /** @description A face's box, pixels of the photo, origin at its top-left corner, y down. */
        FaceBox: {
            /** Format: float */
            height: number;
            /** Format: float */
            width: number;
            /** Format: float */
            x: number;
            /** Format: float */
            y: number;
        };
        /** @description A figure as it is shown. */
        Figure: {
            /** @description What requests call it by. */
            id: string;
            /** @description What may be done with it. */
            licence: string;
            /** @description Its name. */
            name: string;
            /** @description Where the picture is from. */
            source: string;
            /** @description A sentence or two for children. */
            text: string;
            /** @description When the person lived, or the picture was made. */
            when: string;
            /** @description Who that is, in one line. */
            who: string;
        };
        /** @description What was found in one file. */
        Finding: {
            /**
             * @description The signed statement: its `status` is `missing`, `valid`, `tampered`, `unverifiable` or `elsewhere` (the file only
             *     has the address of one, which is not fetched).
             */
            manifest: components["schemas"]["Credentials"];
            /** @description All of it for laymen. */
            sentence: string;
            /** @description A `.c2pa` file beside it: its `status` is `used`, `ignored` (the file itself has a statement) or `unreadable`. */
            sidecar?: components["schemas"]["Sidecar"];
            /** @description Whether anything says that the picture is made by AI. */
            synthetic: boolean;
            /** @description All in one word. */
            verdict: components["schemas"]["Verdict"];
            /**
             * @description The invisible mark: its `status` is `found`, `missing` or `unreadable`. Where it is missing, `frames` were looked
             *     at, and `all` says whether these are all there are.
             */
            watermark: components["schemas"]["Watermark"];
        };
        /**
         * @description Kind of file.
         * @enum {string}
         */
        Format: "mp4" | "webp" | "gif";
        /**
         * @description 128 random bits as 32 hexadecimal digits.
         * @example 0f8f2c6a4f1e4d0c9b7a6e5d4c3b2a19
         */
        Id: string;
        /** @description What the studio is and allows. */
        Info: {
            /** @description Whether only the gallery is shown. */
            kiosk: boolean;
            languages: components["schemas"]["LanguageCode"][];
            limits: components["schemas"]["Limits"];
            version: string;
            /** @description The device that shows live portraits to other programs, where there is one. */
            virtual_camera: string | null;
        };
        /**
         * @description What a job makes.
         * @enum {string}
         */
        JobKind: "animate" | "learn";
        /** @description What came of a job. */
        JobResult: {
            /** @description A name for downloads. */
            file: string;
            /**
             * Format: int32
             * @description Pixels down.
             */
            height: number;
            /** @description Its media type. */
            mime: string;
            /**
             * Format: double
             * @description How long it plays.
             */
            seconds: number;
            /**
             * Format: int32
             * @description Pixels across.
             */
            width: number;
        } | {
            /** @description The avatar's id. */
            avatar: string;
        };
        /**
         * @description Where a job stands.
         * @enum {string}
         */
        JobState: "queued" | "running" | "done" | "failed" | "stopped";
        /** @description A job as it is shown. */
        JobView: {
            /**
             * Format: int64
             * @description Frames or steps done.
             */
            done: number;
            /** @description Why it failed, one line. */
            error: string | null;
            /**
             * Format: double
             * @description Frames or steps a second.
             */
            frames_per_second: number | null;
            id: components["schemas"]["Id"];
            kind: components["schemas"]["JobKind"];
            /** @description How many jobs are before it. */
            position: number;
            result: components["schemas"]["JobResult"] | null;
            state: components["schemas"]["JobState"];
            /**
             * Format: int64
             * @description Frames or steps there will be; 0 while that is not known.
             */
            total: number;
        };
        /**
         * @description Languages of figures and of labels.
         * @enum {string}
         */
        LanguageCode: "en" | "it" | "es";
        /** @description What `learn` is to do. */
        LearnRequest: {
            /** @description Who agreed to what, in free words. */
            consent?: string | null;
            /** @description Whether to leave the network untuned. */
            feed_forward?: boolean;
            /** @description What to call the avatar. */
            name: string;
            /** @description 1 to 32 uploaded photos of one person; the first is what is shown. */
            photos: components["schemas"]["Id"][];
            /**
             * Format: int32
             * @description How long the network is tuned. Where it is not said, one or two photos leave it untuned.
             */
            steps?: number | null;
            subject?: components["schemas"]["DeclaredSubject"] | null;
        };
        /** @description How much may be uploaded. */
        Limits: {
            /** Format: int64 */
            clip_bytes: number;
            /** Format: double */
            clip_seconds: number;
            /** Format: int64 */
            photo_bytes: number;
            /** @description Of one avatar. */
            photos: number;
            /**
             * Format: int64
             * @description Of a photo.
             */
            pixels: number;
        };
        /** @description What the studio says as text on `/api/live` and `/api/call/{room}`; pictures of portraits are binary. */
        LiveAnswer: {
            /**
             * Format: int32
             * @description The page's own number in the call.
             */
            participant?: number;
            /** @description What the broadcast is called by. */
            session?: string;
            /** @enum {string} */
            type: "ready";
        } | {
            found: boolean;
            /** @enum {string} */
            type: "face";
        } | {
            /** @enum {string} */
            type: "calibrated";
        } | {
            /**
             * Format: int64
             * @description Pictures replaced by newer ones, since the start.
             */
            dropped: number;
            /**
             * Format: float
             * @description Pictures answered a second.
             */
            frames_per_second: number;
            /**
             * Format: float
             * @description Median milliseconds from a picture's arrival to its answer.
             */
            latency_ms: number;
            /** @enum {string} */
            type: "stats";
        } | {
            /** @description One clear line. */
            error: string;
            /**
             * Format: int32
             * @description Seconds to wait before trying again.
             */
            retry_after?: number;
            /** @enum {string} */
            type: "error";
        } | {
            name: string;
            /** Format: int32 */
            participant: number;
            /** @enum {string} */
            type: "joined";
        } | {
            /** Format: int32 */
            participant: number;
            /** @enum {string} */
            type: "left";
        } | {
            /** @enum {string} */
            type: "full";
        } | {
            /** @enum {string} */
            type: "lost";
        } | {
            /** @enum {string} */
            type: "back";
        };
        /** @description What a page says as text on `/api/live` and `/api/call/{room}`; its camera's pictures are binary. */
        LiveRequest: {
            /** @description What the others in a call read. */
            name?: string;
            options?: components["schemas"]["Options"];
            portrait: components["schemas"]["PortraitId"];
            /**
             * Format: int32
             * @description Side of the portrait's pictures, pixels, clamped to 256..=512; 256 where it is left out.
             */
            size?: number;
            /** @enum {string} */
            type: "start";
        } | {
            options: components["schemas"]["Options"];
            /** @enum {string} */
            type: "options";
        } | {
            portrait: components["schemas"]["PortraitId"];
            /** @enum {string} */
            type: "portrait";
        } | {
            /** @enum {string} */
            type: "calibrate";
        };
        /** @description A built-in motion. */
        MotionCard: {
            description: string;
            name: string;
            /** Format: double */
            seconds: number;
        };
        /** @description How it is shown. Everything may be left out. */
        Options: {
            /**
             * @description What is behind the person in a film: `keep` (the photo's background), `blur`, `transparent` (with the format `webp`), or a
             *     colour as `#rrggbb`.
             * @default keep
             */
            background?: string;
            /**
             * @description Who agreed to what, in free words.
             * @default null
             */
            consent?: string | null;
            /**
             * @description Whether to show a square around the head instead of the whole picture.
             * @default false
             */
            crop?: boolean;
            /**
             * Format: float
             * @description How strongly the face moves: 0 still, 1 as performed, 2 twice as much.
             * @default 1
             */
            expression?: number;
            /**
             * Format: float
             * @description How strongly lids and gaze move.
             * @default 1
             */
            eyes?: number;
            /**
             * @description Kind of file.
             * @default mp4
             */
            format?: components["schemas"]["Format"];
            /**
             * @description Whether the picture says visibly that it is made by AI.
             * @default false
             */
            label?: boolean;
            /**
             * @description The label's language.
             * @default en
             */
            language?: components["schemas"]["LanguageCode"];
            /**
             * Format: float
             * @description How strongly lips and jaw move.
             * @default 1
             */
            mouth?: number;
            /**
             * Format: float
             * @description How strongly the head moves.
             * @default 1
             */
            pose?: number;
            /**
             * Format: int32
             * @description Pixels: the longest side of the whole picture, or the side of the crop.
             * @default null
             */
            size?: number | null;
            /**
             * Format: float
             * @description How strongly the motion is smoothed: 0 off, 1 the default.
             * @default 1
             */
            smoothing?: number;
            /** @default null */
            subject?: components["schemas"]["DeclaredSubject"] | null;
        };
        /** @description A photo that was received. */
        PhotoCard: {
            /** @description Left to right; a portrait's `face` counts them from 0. */
            faces: components["schemas"]["FaceBox"][];
            /** Format: int32 */
            height: number;
            id: components["schemas"]["Id"];
            /** @description What stands in the way of a good portrait, a line each. */
            notes: string[];
            /** Format: int32 */
            width: number;
        };
        /** @description Whose face is shown. */
        PortraitId: {
            /**
             * Format: int32
             * @description Which face, from the left, from 0; needed where there are several.
             */
            face?: number | null;
            /** @description Its id. */
            photo: components["schemas"]["Id"];
        } | {
            /**
             * Format: int32
             * @description Which face, from the left, from 0; needed where there are several.
             */
            face?: number | null;
            /** @description Its id. */
            figure: string;
        } | {
            /** @description Its id. */
            avatar: string;
            /**
             * Format: int32
             * @description Not needed: an avatar has one face.
             */
            face?: number | null;
        };
        /** @description Which frame of what. */
        PreviewRequest: {
            /**
             * Format: double
             * @description Seconds from the drive's beginning; beyond its end it begins again.
             */
            at?: number;
            drive: components["schemas"]["DriveId"];
            options?: components["schemas"]["Options"];
            portrait: components["schemas"]["PortraitId"];
        };
        /** @description A manifest in a `.c2pa` file beside a picture or clip. */
        Sidecar: components["schemas"]["SidecarOutcome"] & {
            /** @description Its name, without the folder. */
            file: string;
        };
        /** @description What became of a manifest beside a file. */
        SidecarOutcome: {
            /** @enum {string} */
            status: "used";
        } | {
            /** @enum {string} */
            status: "ignored";
        } | {
            /** @enum {string} */
            status: "unreadable";
            /** @description The reason. */
            why: string;
        };
        /**
         * @description What was declared about who is shown. Nobody checks it.
         * @enum {string}
         */
        Subject: "self" | "consented" | "historical" | "artwork" | "fictional" | "undeclared";
        /**
         * @description What is to be made of a file, the worst last.
         * @enum {string}
         */
        Verdict: "marked" | "signed" | "unmarked" | "unverifiable" | "tampered";
        /** @description What was found of the invisible mark. */
        Watermark: (components["schemas"]["WatermarkFound"] & {
            /** @enum {string} */
            status: "found";
        }) | {
            /** @description Whether these are all there are. */
            all: boolean;
            /**
             * Format: int64
             * @description In so many frames.
             */
            frames: number;
            /** @enum {string} */
            status: "missing";
        } | {
            /** @enum {string} */
            status: "unreadable";
            /** @description The reason. */
            why: string;
        };
        /** @description A mark that was read. */
        WatermarkFound: {
            /**
             * Format: double
             * @description An upper bound of the chance to read any mark this strongly in an unmarked picture. It takes the best of all
             *     2^44 valid messages and of all sizes, angles and positions that were searched into account, as if they were independent
             *     and their correlations normally distributed.
             */
            false_alarm: number;
            /** @description Whether the picture is mirrored. */
            mirrored: boolean;
            /** @description What it says. */
            payload: components["schemas"]["WatermarkPayload"];
            /**
             * Format: double
             * @description Correlation of the picture with the mark, in standard deviations of what an unmarked picture gives.
             */
            strength: number;
        };
        /** @description What a mark says about the picture it is in. */
        WatermarkPayload: {
            /** @description Which portrait it shows. */
            avatar: string;
            /** @description The day it was made. */
            date: string;
            /** @description The version of Gioconda that made the picture. */
            version: string;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
