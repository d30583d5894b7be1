// Every page: nothing that axe objects to, nothing wider than the window, nothing in the console; and the pages that are
// not tested elsewhere do what they say.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { ASTRONAUT, DESKTOP, missing, PHONE, PHOTO, startBrowser, startStudio, type Studio, visit } from "./stage";

const skip = missing() ?? false;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

let studio: Studio;
let browser: Browser;

before(async () => {
  if (skip) return;
  [studio, browser] = await Promise.all([startStudio(), startBrowser()]);
});

after(async () => {
  if (skip) return;
  await browser.close();
  await studio.stop();
});

interface Violation {
  id: string;
  nodes: { html: string; failureSummary: string }[];
}

async function objections(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  const violations = (await page.evaluate("axe.run().then((found) => found.violations)")) as Violation[];
  return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html} ${node.failureSummary}`));
}

/** Address, what has to be there, and what is done before the page is judged. */
const PAGES: [string, string, ((page: Page) => Promise<void>)?][] = [
  ["/", ".shelf img"],
  ["/?figure=mona-lisa", ".preview canvas:not([hidden])"],
  ["/personalise", ".saved"],
  ["/live", ".shelf img"],
  ["/live?figure=mona-lisa", ".pair img"],
  ["/call", "h1"],
  ["/call/amber-loggia", ".shelf img"],
  ["/gallery", ".wall img"],
  ["/gallery", ".moves button", (page) => page.locator("[data-figure]").first().click()],
  ["/kiosk", ".wall img"],
  ["/verify", ".credentials", (page) => page.locator("input[type=file]").setInputFiles(PHOTO)],
  ["/nowhere", "h1"],
  ["/broadcast/nobody", "main"],
];

/** Here the browser itself says that something is not there. */
const ABSENT = new Set(["/nowhere", "/broadcast/nobody"]);

for (const [address, sign, act] of PAGES) {
  test(`${address} (${sign}) is fit for everybody, wide and narrow, light and dark`, { skip }, async () => {
    for (const [viewport, colorScheme] of [[DESKTOP, "light"], [PHONE, "dark"]] as const) {
      const { page, complaints } = await visit(browser, studio.url + address, { viewport, colorScheme });
      await act?.(page);
      await page.locator(sign).first().waitFor();
      assert.deepEqual(await objections(page), [], `${colorScheme}, ${viewport.width} pixels`);
      const tooWide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      assert.ok(tooWide <= 0, `${tooWide} pixels too wide at ${viewport.width}`);
      if (!ABSENT.has(address)) assert.deepEqual(complaints, []);
      await page.context().close();
    }
  });
}

test("photos become an avatar, which performs, and is deleted for good", { skip }, async () => {
  const { page, complaints } = await visit(browser, `${studio.url}/personalise`);
  await page.getByText("No avatar yet.").waitFor();
  await page.locator("input[type=file]").setInputFiles([PHOTO, ASTRONAUT]);
  await page.locator(".snapshots li").nth(1).waitFor({ timeout: 30_000 });
  await page.getByRole("button", { name: "Remove eileen-collins.jpg" }).click();
  await page.getByLabel("Name", { exact: true }).fill("Lisa");
  await page.getByLabel("Who is shown?").selectOption("artwork");
  await page.getByRole("button", { name: "Learn this face" }).click();
  await page.getByText("Lisa is ready.").waitFor({ timeout: 120_000 });
  const strip = page.getByRole("img", { name: /^Lisa: one photo/ });
  await strip.waitFor();
  assert.ok(await strip.evaluate((image: HTMLImageElement) => image.decode().then(() => image.naturalWidth > 100)));

  await page.getByRole("link", { name: "Animate" }).last().click();
  await page.locator(".preview canvas:not([hidden])").waitFor({ timeout: 30_000 });
  await page.getByRole("link", { name: "Personalise" }).click();
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("button", { name: "Keep it" }).click();
  await page.getByRole("heading", { name: "Lisa" }).waitFor();
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("button", { name: "Delete for good" }).click();
  await page.getByText("No avatar yet.").waitFor();
  await page.reload();
  await page.getByText("No avatar yet.").waitFor();
  assert.deepEqual(complaints, []);
});

test("learning is stopped and taken up again", { skip }, async () => {
  const { page } = await visit(browser, "about:blank");
  let state = "running";
  const job = () => ({ id: "j", kind: "learn", state, position: 0, done: 12, total: 60, frames_per_second: 2, error: null });
  const result = () => (state === "done" ? { avatar: "a" } : null);
  await page.route("**/api/learn", (route) => route.fulfill({ status: 202, json: { job: "j" } }));
  await page.route("**/api/jobs/j", (route) => {
    state = "stopped";
    return route.fulfill({ status: 204 });
  });
  await page.route("**/api/jobs/j/resume", (route) => {
    state = "done";
    return route.fulfill({ status: 202, json: {} });
  });
  await page.route("**/api/jobs/j/events", (route) =>
    route.fulfill({
      contentType: "text/event-stream",
      body: `retry: 100\n\ndata: ${JSON.stringify({ ...job(), result: result() })}\n\n`,
    }),
  );
  await page.goto(`${studio.url}/personalise`);
  await page.locator("input[type=file]").setInputFiles(PHOTO);
  await page.locator(".snapshots li").waitFor();
  await page.getByLabel("Name", { exact: true }).fill("Lisa");
  await page.getByRole("button", { name: "Learn this face" }).click();
  await page.getByText("Step 12 of 60").waitFor();
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByText("Stopped. It can go on.").waitFor();
  await page.getByRole("button", { name: "Go on" }).click();
  await page.getByText("Lisa is ready.").waitFor();
});
