import assert from "node:assert/strict";
import { test } from "node:test";
import { ended, secondsLeft, share } from "../../src/api/jobs";
import type { Job } from "../../src/api/types";
import { idleState } from "../../src/flow/idle";
import { roomName } from "../../src/flow/room_names";
import { middleSquare } from "../../src/live/camera";
import { Meter } from "../../src/live/meter";
import { routeOf } from "../../src/router";
import { size } from "../../src/ui/portrait";

const job = (part: Partial<Job>): Job => ({
  id: "1",
  kind: "animate",
  state: "running",
  position: 0,
  done: 0,
  total: 0,
  frames_per_second: null,
  error: null,
  result: null,
  ...part,
});

test("a job's share and time left are told only when they are known", () => {
  const cases: [Job, number | undefined, number | undefined, boolean][] = [
    [job({}), undefined, undefined, false],
    [job({ done: 25, total: 100 }), 0.25, undefined, false],
    [job({ done: 25, total: 100, frames_per_second: 25 }), 0.25, 3, false],
    [job({ done: 110, total: 100, frames_per_second: 25 }), 1, 0, false],
    [job({ state: "done", done: 100, total: 100, frames_per_second: 25 }), 1, undefined, true],
    [job({ state: "stopped" }), undefined, undefined, true],
  ];
  for (const [given, part, left, over] of cases) {
    assert.deepEqual([share(given), secondsLeft(given), ended(given)], [part, left, over]);
  }
});

test("a visitor is asked, and after a while gone", () => {
  const times = { ask: 60, leave: 15 };
  const cases = [
    [0, { state: "here" }],
    [59.9, { state: "here" }],
    [60, { state: "asked", left: 15 }],
    [74.5, { state: "asked", left: 1 }],
    [75, { state: "gone" }],
  ] as const;
  for (const [seconds, state] of cases) assert.deepEqual(idleState(seconds, times), state);
});

test("addresses lead to their pages", () => {
  const cases = [
    ["/", { page: "animate" }],
    ["/verify", { page: "verify" }],
    ["/call", { page: "call", room: undefined }],
    ["/call/amber%20hall", { page: "call", room: "amber hall" }],
    ["/call/%E0%A4%A", { page: "call", room: "%E0%A4%A" }],
    ["/call/a/b", { page: "missing" }],
    ["/broadcast/s1", { page: "broadcast", session: "s1" }],
    ["/broadcast", { page: "missing" }],
    ["/verify/x", { page: "missing" }],
    ["/constructor", { page: "missing" }],
  ] as const;
  for (const [path, route] of cases) assert.deepEqual(routeOf(path), route, path);
});

test("rooms can be read out, and differ", () => {
  assert.match(roomName(new Uint8Array(10)), /^[a-z]+-[a-z]+-[a-z0-9]{8}$/);
  assert.notEqual(roomName(new Uint8Array(10).fill(3)), roomName(new Uint8Array(10).fill(4)));
});

test("the meter looks two seconds back", () => {
  const meter = new Meter();
  for (let frame = 0; frame < 100; frame++) meter.add(frame * 40, frame % 2 === 0 ? 50 : 90);
  const { framesPerSecond, latency } = meter.read(99 * 40);
  assert.ok(Math.abs(framesPerSecond - 25) <= 0.5, `${framesPerSecond}`);
  assert.ok(latency === 50 || latency === 90);
  assert.deepEqual(meter.read(99 * 40 + 2_001), { framesPerSecond: 0, latency: undefined });
});

test("the camera's pictures are cut to the square in their middle", () => {
  assert.deepEqual(middleSquare(640, 480), { x: 80, y: 0, side: 480 });
  assert.deepEqual(middleSquare(300, 400), { x: 0, y: 50, side: 300 });
});

test("file sizes are said as people say them", () => {
  assert.deepEqual([size(900), size(150_000), size(25 << 20)], ["1 kB", "147 kB", "25 MB"]);
});
