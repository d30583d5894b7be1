// Makes the pictures of docs/studio.md anew, with the program itself: `npm run pictures`. Needs Chromium and ffmpeg. The
// face before the camera is a figure of the gallery, moved by the program, so that nobody has to be asked.

import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { ASTRONAUT, cameraFilm, missing, program, startBrowser, startStudio, visit } from "./browser/stage";

const WINDOW = { width: 1280, height: 853 };
const SHOWN = "scale=900:600:flags=lanczos";
const pictures = fileURLToPath(new URL("../../docs/studio", import.meta.url));

const lacking = missing();
if (lacking) throw new Error(lacking);
const folder = await mkdtemp(join(tmpdir(), "gioconda-pictures-"));
const performer = join(folder, "performer.mp4");
execFileSync(program() as string, ["animate", ASTRONAUT, "-d", "look-around", "-o", performer, "--crop", "-q"]);
const studio = await startStudio();
const kiosk = await startStudio("--kiosk");
const browser = await startBrowser(cameraFilm(performer, folder));

async function picture(name: string, address: string, act: (page: Page) => Promise<void>): Promise<void> {
  const { page } = await visit(browser, address, { viewport: WINDOW });
  await act(page);
  const whole = join(folder, `${name}.png`);
  await page.screenshot({ path: whole });
  const film = ["-v", "error", "-y", "-i", whole, "-vf", SHOWN, "-quality", "82", join(pictures, `${name}.webp`)];
  execFileSync("ffmpeg", film);
  await page.context().close();
}

try {
  await picture("animate", `${studio.url}/?figure=mona-lisa`, async (page) => {
    await page.locator(".preview canvas:not([hidden])").waitFor();
    await page.waitForTimeout(1_500);
  });
  await picture("live", `${studio.url}/live?figure=mona-lisa`, async (page) => {
    await page.getByRole("button", { name: "Start" }).click();
    await page.locator(".measures").waitFor();
    await page.waitForTimeout(4_000);
  });
  await picture("kiosk", kiosk.url, async (page) => {
    await page.getByRole("button", { name: "Mona Lisa" }).click();
    await page.getByRole("button", { name: "Smile" }).click();
    await page.locator(".exhibit video").waitFor({ timeout: 120_000 });
    await page.waitForTimeout(1_000);
  });
} finally {
  await browser.close();
  await Promise.all([studio.stop(), kiosk.stop()]);
  await rm(folder, { recursive: true, force: true });
}
