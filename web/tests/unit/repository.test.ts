// What is committed beside the sources is what it says it is.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const web = fileURLToPath(new URL("../..", import.meta.url));
const gallery = join(web, "../crates/studio/gallery");

test("every figure of the gallery has a card in three languages and the picture it names", () => {
  const cards = readdirSync(gallery).filter((name) => name.endsWith(".toml"));
  assert.ok(cards.length >= 3);
  for (const name of cards) {
    const card = readFileSync(join(gallery, name), "utf8");
    const picture = readFileSync(join(gallery, name.replace(".toml", ".jpg")));
    const digest = createHash("sha256").update(picture).digest("hex");
    assert.ok(card.includes(`sha256 = "${digest}"`), `${name} tells another checksum than ${digest}`);
    for (const line of [/^order = \d+$/m, /^source = ".+"$/m, /^licence = ".+"$/m]) assert.match(card, line, name);
    for (const language of ["en", "it", "es"]) {
      const said = card.split(`[${language}]`)[1]?.split("\n[")[0] ?? "";
      for (const field of ["name", "when", "who", "text"]) {
        assert.match(said, new RegExp(`^${field} = ".+"$`, "m"), `${name} [${language}] ${field}`);
      }
    }
  }
});

test("the lock file names no registry", () => {
  assert.doesNotMatch(readFileSync(join(web, "package-lock.json"), "utf8"), /"resolved"/);
});

test("pages and styles hold nothing that the content security policy forbids", () => {
  const page = readFileSync(join(web, "src/index.html"), "utf8");
  assert.doesNotMatch(page, /<style|style=|\son[a-z]+=|<script(?![^>]*src=)|https?:\/\//);
});
