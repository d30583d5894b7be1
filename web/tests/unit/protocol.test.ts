import assert from "node:assert/strict";
import { test } from "node:test";
import { pack, SOUND, unpack } from "../../src/live/protocol";

test("a packet is sequence, milliseconds and payload, little-endian", () => {
  assert.deepEqual([...pack(1, 0x0203, new Uint8Array([9, 8]))], [1, 0, 0, 0, 3, 2, 0, 0, 9, 8]);
});

test("what was packed is unpacked, and in calls says whose it is", () => {
  const packet = pack(SOUND, 4_000_000_000, new Uint8Array([7]));
  const live = unpack(packet.buffer, false);
  assert.deepEqual([live?.participant, live?.sequence, live?.milliseconds, ...(live?.payload ?? [])], [
    undefined,
    SOUND,
    4_000_000_000,
    7,
  ]);
  const inCall = unpack(new Uint8Array([5, 0, 0, 0, ...packet]).buffer, true);
  assert.deepEqual([inCall?.participant, inCall?.sequence, ...(inCall?.payload ?? [])], [5, SOUND, 7]);
});

test("what is too short to be a packet is none", () => {
  for (const [bytes, inCall] of [[0, false], [8, false], [12, true]] as const) {
    assert.equal(unpack(new ArrayBuffer(bytes), inCall), undefined);
  }
});
