// Names for rooms that can be read out over the telephone, and are too many to be guessed.

const FIRST = ["amber", "azure", "bronze", "copper", "coral", "crimson", "ebony", "emerald", "golden", "indigo", "ivory", "jade", "ochre", "olive", "pearl", "russet", "saffron", "scarlet", "sienna", "silver", "umber", "velvet", "violet", "walnut"];
const SECOND = ["arch", "atlas", "bell", "canvas", "chapel", "cloister", "column", "dome", "easel", "fresco", "gallery", "garden", "harbour", "lantern", "loggia", "mirror", "mosaic", "piazza", "river", "statue", "studio", "tower", "vault", "window"];

/** Characters of the part that cannot be guessed; 32 of them, 5 bits each. */
const ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789";
const TAIL = 8;

/** A room's name such as `amber-loggia-k3m9x2ab`, from random bytes. */
export function roomName(random: Uint8Array): string {
  const [first = 0, second = 0, ...rest] = random;
  const tail = Array.from({ length: TAIL }, (_, index) => ALPHABET[(rest[index] ?? 0) % ALPHABET.length]).join("");
  return `${FIRST[first % FIRST.length]}-${SECOND[second % SECOND.length]}-${tail}`;
}

export function newRoom(): string {
  return roomName(crypto.getRandomValues(new Uint8Array(2 + TAIL)));
}
