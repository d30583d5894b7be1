// What the browser tests stand on: a studio, a browser, and a camera whose picture is a clip.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Browser, type BrowserContextOptions, chromium, type Locator, type Page } from "playwright-core";

const repository = fileURLToPath(new URL("../../..", import.meta.url));
const data = join(repository, "../shared/data");
const clips = join(data, "val");

/** Pictures that may be committed, for uploads. */
export const PHOTO = join(repository, "assets/mona_lisa.jpg");
export const ASTRONAUT = join(repository, "crates/studio/gallery/eileen-collins.jpg");

/** The program to test: `GIOCONDA`, or the newest build in the target folder. */
export function program(): string | undefined {
  const named = process.env.GIOCONDA;
  if (named) return named;
  const target = process.env.CARGO_TARGET_DIR ?? join(repository, "target");
  return ["release", "debug"].map((profile) => join(target, profile, "gioconda")).find(existsSync);
}

function browserProgram(): string | undefined {
  return [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(
    (path) => path !== undefined && existsSync(path),
  );
}

/** Why browser tests cannot run here; nothing when they can. */
export function missing(): string | undefined {
  if (!browserProgram()) return "skipped: there is no Chromium; install it or name it by CHROMIUM";
  if (!program()) return "skipped: there is no gioconda program; run `cargo build --release` or name it by GIOCONDA";
  return undefined;
}

/** A clip of the development data by the name of its folder; nothing where the data is not there. */
export function clip(folder: string): string | undefined {
  const path = join(clips, folder);
  if (!existsSync(path)) return undefined;
  const file = readdirSync(path).find((name) => name.endsWith(".mp4"));
  return file && join(path, file);
}

/** Paintings and an old photograph of the development data; none where it is not there. */
export function portraits(): string[] {
  const folder = join(data, "portraits");
  return existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".jpg")).map((name) => join(folder, name)) : [];
}

/** Whether to hold the studio to its speed too: only where nothing else runs is that a fair question. */
export const MEASURING = process.env.GIOCONDA_MEASURE === "1";

export interface Studio {
  url: string;
  stop: () => Promise<void>;
}

/** Starts a studio of its own on a free port, with empty folders for its avatars and keys. */
export async function startStudio(...options: string[]): Promise<Studio> {
  const home = mkdtempSync(join(tmpdir(), "gioconda-studio-"));
  const environment = { ...process.env, HOME: home, XDG_CONFIG_HOME: home, XDG_DATA_HOME: home };
  const studio = spawn(program() as string, ["studio", "--listen", "127.0.0.1:0", "--no-open", ...options], {
    env: environment,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const url = await address(studio);
  const ended = new Promise<void>((resolve) => studio.once("exit", () => resolve()));
  return {
    url,
    stop: async () => {
      studio.kill("SIGINT");
      await ended;
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** The address that the studio prints when it is ready. */
function address(studio: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = "";
    const hear = (part: Buffer) => {
      said += part.toString();
      const url = /http:\/\/[\w.:[\]]+/.exec(said)?.[0];
      if (url) resolve(url);
    };
    studio.stdout?.on("data", hear);
    studio.stderr?.on("data", hear);
    studio.once("exit", (code) => reject(new Error(`the studio ended with ${code}: ${said}`)));
    studio.once("error", reject);
  });
}

/** Makes a camera's film of a clip: pictures that Chromium shows again and again. */
export function cameraFilm(source: string, folder: string): string {
  const film = join(folder, "camera.mjpeg");
  const scale = "scale=480:480:force_original_aspect_ratio=increase,crop=480:480";
  execFileSync("ffmpeg", ["-v", "error", "-y", "-i", source, "-t", "8", "-r", "30", "-vf", scale, "-an", "-q:v", "4", film]);
  return film;
}

/** Starts a browser without a window; `film` is what its camera sees. */
export function startBrowser(film?: string): Promise<Browser> {
  const camera = [
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    ...(film ? [`--use-file-for-fake-video-capture=${film}`] : []),
  ];
  return chromium.launch({
    executablePath: browserProgram() as string,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--autoplay-policy=no-user-gesture-required",
      ...camera,
    ],
  });
}

/** A page, and what its console complained about. */
export interface Visit {
  page: Page;
  complaints: string[];
}

export const DESKTOP = { width: 1280, height: 900 };
export const PHONE = { width: 390, height: 844 };

/** Opens a page in a fresh profile, in English unless `options` say otherwise. */
export async function visit(browser: Browser, address: string, options: BrowserContextOptions = {}): Promise<Visit> {
  const context = await browser.newContext({ viewport: DESKTOP, locale: "en-GB", ...options });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  await page.goto(address);
  return { page, complaints };
}

/** Mean difference, 0 to 255, of what a video or canvas shows now and `milliseconds` later. */
export function movement(element: Locator, milliseconds = 400): Promise<number> {
  return element.evaluate(async (shown, pause) => {
    const side = 96;
    const context = new OffscreenCanvas(side, side).getContext("2d", { willReadFrequently: true });
    const looks: Uint8ClampedArray[] = [];
    // A calm moment is no still picture: the liveliest of several counts.
    for (let round = 0; round < 7; round++) {
      context?.drawImage(shown as HTMLVideoElement, 0, 0, side, side);
      looks.push(context?.getImageData(0, 0, side, side).data as Uint8ClampedArray);
      await new Promise((wake) => setTimeout(wake, pause));
    }
    const [first, ...others] = looks as [Uint8ClampedArray, ...Uint8ClampedArray[]];
    const moved = others.map((look) => look.reduce((sum, value, index) => sum + Math.abs(value - (first[index] ?? 0)), 0));
    return Math.max(...moved) / first.length;
  }, milliseconds);
}

/** Least movement that is more than the noise of compression. */
export const MOVES = 0.3;
