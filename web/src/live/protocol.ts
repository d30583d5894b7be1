// The binary frames of /api/live and /api/call: little-endian numbers, then the payload.
//
//   page -> studio              [u32 sequence][u32 milliseconds][JPEG or sound]
//   studio -> page, live        [u32 sequence][u32 milliseconds][JPEG or sound]
//   studio -> page, call        [u32 participant][u32 sequence][u32 milliseconds][JPEG or sound]
//
// Sequence and milliseconds of an answer are those of the camera picture it answers.

/** The sequence number of packets that carry sound. */
export const SOUND = 0xffff_ffff;

const WORD = 4;

export interface Packet {
  /** Whose it is, in calls. */
  participant: number | undefined;
  sequence: number;
  milliseconds: number;
  payload: Uint8Array<ArrayBuffer>;
}

/** A packet to send. Numbers wrap around at 2^32. */
export function pack(sequence: number, milliseconds: number, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const packet = new Uint8Array(2 * WORD + payload.length);
  const head = new DataView(packet.buffer);
  head.setUint32(0, sequence, true);
  head.setUint32(WORD, milliseconds, true);
  packet.set(payload, 2 * WORD);
  return packet;
}

/** A packet that came; nothing when it is too short to be one. */
export function unpack(data: ArrayBuffer, withParticipant: boolean): Packet | undefined {
  const words = withParticipant ? 3 : 2;
  if (data.byteLength <= words * WORD) return undefined;
  const head = new DataView(data);
  const first = (words - 2) * WORD;
  return {
    participant: withParticipant ? head.getUint32(0, true) : undefined,
    sequence: head.getUint32(first, true),
    milliseconds: head.getUint32(first + WORD, true),
    payload: new Uint8Array(data, words * WORD),
  };
}
