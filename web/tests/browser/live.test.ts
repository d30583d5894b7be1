// Live, broadcast and calls, before a camera whose picture is a clip.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { SOUND } from "../../src/live/protocol";
import { cameraFilm, clip, MEASURING, missing, MOVES, movement, startBrowser, startStudio, type Studio, visit } from "./stage";

const performer = clip("liveportrait_d12");
const skip = missing() ?? (performer ? false : "skipped: there is no ../shared with clips");

/** Seconds that live mode is watched, and has to keep its pace where that is measured. */
const SECONDS = MEASURING ? 20 : 4;
const LEAST_RATE = 20;
const MOST_DELAY = 150;

let studio: Studio;
let browser: Browser;
let folder: string;

before(async () => {
  if (skip) return;
  folder = await mkdtemp(join(tmpdir(), "gioconda-camera-"));
  const film = cameraFilm(performer as string, folder);
  [studio, browser] = await Promise.all([startStudio(), startBrowser(film)]);
});

after(async () => {
  if (skip) return;
  await browser.close();
  await studio.stop();
  await rm(folder, { recursive: true, force: true });
});

async function measure(page: Page, name: string): Promise<number> {
  return Number.parseFloat((await page.locator(`[data-measure=${name}]`).textContent()) ?? "");
}

const median = (values: number[]) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] as number;

test("a face before the camera moves the portrait, fast enough where that is measured", { skip }, async () => {
  const { page, complaints } = await visit(browser, `${studio.url}/live?figure=mona-lisa`);
  await page.getByRole("button", { name: "Start" }).click();
  await page.locator(".measures").waitFor({ timeout: 30_000 });
  if (MEASURING) await page.waitForTimeout(3_000);

  const [rates, delays]: [number[], number[]] = [[], []];
  for (let second = 0; second < SECONDS; second++) {
    await page.waitForTimeout(1_000);
    rates.push(await measure(page, "rate"));
    delays.push(await measure(page, "latency"));
  }
  console.log(`# ${median(rates)} frames a second (least ${rates[0]}), ${median(delays)} ms round trip, medians of ${SECONDS} s`);
  assert.ok((await movement(page.getByRole("img", { name: "Your portrait" }))) > MOVES, "the portrait does not move");

  await page.getByRole("button", { name: "Calibrate" }).click();
  await page.getByText("Calibrated.").waitFor();

  const address = await page.getByLabel("For OBS and other programs").inputValue();
  const broadcast = await visit(browser, address, { viewport: { width: 512, height: 512 } });
  const shown = broadcast.page.locator("canvas:not([hidden])");
  await shown.waitFor();
  assert.ok((await movement(shown)) > MOVES, "the broadcast does not move");

  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByRole("button", { name: "Start" }).waitFor();
  assert.deepEqual([...complaints, ...broadcast.complaints], []);
  if (!MEASURING) return;
  assert.ok(median(rates) >= LEAST_RATE, `${rates.join(", ")} frames a second`);
  assert.ok(median(delays) <= MOST_DELAY, `${delays.join(", ")} ms`);
});

async function enterRoom(room: string, name: string, figure: string): Promise<Page> {
  const { page } = await visit(browser, `${studio.url}/call/${room}?figure=${figure}`);
  await page.getByLabel("Your name").fill(name);
  await page.getByRole("button", { name: "Join" }).click();
  await page.locator(".seat.own").waitFor({ timeout: 30_000 });
  return page;
}

test("two people in a room see each other's portraits move, and one leave", { skip }, async () => {
  const first = await enterRoom("test-room", "Ada", "mona-lisa");
  await first.getByText("Nobody else is here yet").waitFor();
  const second = await enterRoom("test-room", "Blaise", "grace-hopper");

  const seen = first.getByRole("img", { name: "Blaise" });
  const seenBack = second.getByRole("img", { name: "Ada" });
  await Promise.all([seen.waitFor(), seenBack.waitFor()]);
  await first.waitForTimeout(2_000);
  assert.ok((await movement(seen)) > MOVES, "the second portrait does not move for the first");
  assert.ok((await movement(seenBack)) > MOVES, "the first portrait does not move for the second");

  await second.getByRole("button", { name: "Leave" }).click();
  await second.getByText("You left the room.").waitFor();
  await first.getByText("Nobody else is here yet").waitFor();
});

test("the voice reaches the broadcast page when it is let through, and not before", { skip }, async () => {
  const { page } = await visit(browser, `${studio.url}/live?figure=mona-lisa`);
  await page.getByRole("button", { name: "Start" }).click();
  const address = await page.getByLabel("For OBS and other programs").inputValue();

  const broadcast = await visit(browser, "about:blank");
  let sounds = 0;
  broadcast.page.on("websocket", (socket) =>
    socket.on("framereceived", ({ payload }) => {
      if (typeof payload !== "string" && payload.readUInt32LE(0) === SOUND) sounds += 1;
    }),
  );
  await broadcast.page.goto(address);
  await broadcast.page.locator("canvas:not([hidden])").waitFor();
  assert.equal(sounds, 0);
  await page.getByLabel("Send my voice to the broadcast page").check();
  await page.waitForTimeout(3_000);
  assert.ok(sounds > (MEASURING ? 50 : 5), `${sounds} packets of 20 ms in 3 seconds`);
  await page.getByLabel("Send my voice to the broadcast page").uncheck();
  await page.waitForTimeout(500);
  const last = sounds;
  await page.waitForTimeout(1_000);
  assert.equal(sounds, last);
});

test("a full room and a lost one are said so", { skip }, async () => {
  const { page } = await visit(browser, "about:blank");
  let answer = "full";
  await page.routeWebSocket(/\/api\/call\//, (socket) => {
    socket.onMessage((message) => {
      if (typeof message !== "string") return;
      if (answer === "full") socket.send('{"type":"full"}');
      else socket.send('{"type":"ready","participant":1}');
      if (answer === "lost") setTimeout(() => void socket.close(), 500);
    });
  });
  await page.goto(`${studio.url}/call/hall?figure=mona-lisa`);
  await page.getByRole("button", { name: "Join" }).click();
  await page.getByText("This room is full.").waitFor();
  answer = "lost";
  await page.getByRole("button", { name: "Join" }).click();
  await page.getByText("The connection was lost.").waitFor();
  answer = "ready";
  await page.getByText("Nobody else is here yet").waitFor({ timeout: 10_000 });
});
