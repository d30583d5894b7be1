// The kiosk, by keyboard only.

import assert from "node:assert/strict";
import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { missing, MOVES, movement, PHONE, portraits, startBrowser, startStudio, type Studio, visit } from "./stage";

const skip = missing() ?? false;

let studio: Studio;
let browser: Browser;

before(async () => {
  if (skip) return;
  [studio, browser] = await Promise.all([startStudio("--kiosk"), startBrowser()]);
});

after(async () => {
  if (skip) return;
  await browser.close();
  await studio.stop();
});

/** Presses Tab until what has the focus says `text`; where nothing has it, that is the whole page, which says everything. */
async function tabTo(page: Page, text: string): Promise<void> {
  for (let step = 0; step < 30; step++) {
    await page.keyboard.press("Tab");
    const said = await page.evaluate(() => {
      const focused = document.activeElement;
      return focused === document.body ? "" : (focused?.textContent ?? "");
    });
    if (said.includes(text)) return;
  }
  assert.fail(`no way to “${text}” by Tab`);
}

test("a visitor changes the language, chooses a figure and lets it speak, by keyboard only", { skip }, async () => {
  const { page, complaints } = await visit(browser, studio.url);
  await page.getByRole("heading", { name: "Faces of the past" }).waitFor();
  assert.equal(await page.getByRole("navigation").count(), 0, "a kiosk leads nowhere else");

  await tabTo(page, "Italiano");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Volti del passato" }).waitFor();
  await page.getByText("La Gioconda", { exact: true }).waitFor();

  await tabTo(page, "La Gioconda");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "La Gioconda" }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement?.tagName), "H1");

  await page.getByRole("button", { name: "Parlare" }).waitFor();
  await tabTo(page, "Parlare");
  await page.keyboard.press("Enter");
  await page.getByText("Un attimo…").waitFor();
  const film = page.locator(".exhibit video");
  await film.waitFor({ timeout: 120_000 });
  assert.ok((await movement(film)) > MOVES, "the figure does not move");
  assert.ok(await page.getByText("Animato con l’IA. Non è una ripresa.").isVisible(), "it is not labelled");

  await page.keyboard.press("Escape");
  await page.getByRole("heading", { name: "Volti del passato" }).waitFor();
  assert.deepEqual(complaints, []);
});

test("a kiosk that was left starts anew", { skip }, async () => {
  const { page } = await visit(browser, "about:blank", { viewport: PHONE });
  await page.clock.install();
  await page.goto(studio.url);
  await page.getByRole("button", { name: "Español" }).click();
  await page.getByRole("button", { name: "Grace Hopper" }).click();
  await page.getByRole("heading", { name: "Grace Hopper" }).waitFor();
  await page.clock.runFor(65_000);
  await page.getByRole("dialog").waitFor();
  await page.clock.runFor(20_000);
  await page.getByRole("heading", { name: "Faces of the past" }).waitFor();
  assert.equal(await page.getByRole("dialog").count(), 0);
});

const noPortraits = skip || (portraits().length > 0 ? false : "skipped: there is no ../shared with portraits");

/** The figure's name in a museum that hangs `picture`. */
const figure = (picture: string) => basename(picture, ".jpg").replaceAll("_", "-");

/** In the page: the pixels of a figure at a moment of its smile, 96 x 96 RGBA. */
async function smileOf({ id, at }: { id: string; at: number }): Promise<number[]> {
  const side = 96;
  const wish = { portrait: { figure: id }, drive: { motion: "smile" }, options: { crop: true, size: 256 }, at };
  const headers = { "Content-Type": "application/json", "X-Gioconda": "studio" };
  const answer = await fetch("/api/preview", { method: "POST", headers, body: JSON.stringify(wish) });
  if (!answer.ok) throw new Error(await answer.text());
  const context = new OffscreenCanvas(side, side).getContext("2d");
  context?.drawImage(await createImageBitmap(await answer.blob()), 0, 0, side, side);
  return Array.from(context?.getImageData(0, 0, side, side).data ?? []);
}

test("a museum hangs its own figures, and each of them moves", { skip: noPortraits }, async () => {
  const folder = await mkdtemp(join(tmpdir(), "gioconda-museum-"));
  for (const [order, picture] of portraits().entries()) {
    const id = figure(picture);
    await copyFile(picture, join(folder, `${id}.jpg`));
    const card = `[en]\nname = "Figure ${order}"\nwhen = "long ago"\nwho = "somebody"\ntext = "A face."\n`;
    const origin = `order = ${order}\nsubject = "artwork"\nsource = "a museum"\nlicence = "Public domain"\n`;
    await writeFile(join(folder, `${id}.toml`), `${origin}\n${card}`);
  }
  const museum = await startStudio("--kiosk", "--gallery", folder);
  try {
    const { page, complaints } = await visit(browser, museum.url);
    await page.locator("[data-figure]").first().waitFor();
    const names = await page.locator("[data-figure] .name").allTextContents();
    assert.deepEqual(names, portraits().map((_, order) => `Figure ${order}`));
    await page.getByRole("button", { name: "Figure 0" }).click();
    await page.getByRole("button", { name: "Smile" }).click();
    const film = page.locator(".exhibit video");
    await film.waitFor({ timeout: 120_000 });
    assert.ok((await movement(film)) > MOVES, "Figure 0 does not move");
    await page.keyboard.press("Escape");
    // A film of each would take minutes; two moments tell whether it can be made.
    for (const id of portraits().map(figure)) {
      const rest = await page.evaluate(smileOf, { id, at: 0 });
      const smile = await page.evaluate(smileOf, { id, at: 1.5 });
      const moved = smile.reduce((sum, value, index) => sum + Math.abs(value - (rest[index] ?? 0)), 0) / smile.length;
      assert.ok(moved > MOVES, `${id} does not smile: ${moved}`);
    }
    assert.deepEqual(complaints, []);
  } finally {
    await museum.stop();
    await rm(folder, { recursive: true, force: true });
  }
});
