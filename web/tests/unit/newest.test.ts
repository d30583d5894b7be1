import assert from "node:assert/strict";
import { test } from "node:test";
import { newest } from "../../src/flow/newest";

const turn = () => new Promise((resolve) => setImmediate(resolve));

test("of the values that come during a run only the newest is run", async () => {
  const [runs, ends]: [number[], (() => void)[]] = [[], []];
  const push = newest<number>((value) => {
    runs.push(value);
    return new Promise((resolve) => ends.push(resolve));
  });
  for (const value of [1, 2, 3, 4]) push(value);
  assert.deepEqual(runs, [1]);
  ends[0]?.();
  await turn();
  assert.deepEqual(runs, [1, 4]);
  ends[1]?.();
  await turn();
  push(5);
  assert.deepEqual(runs, [1, 4, 5]);
});
