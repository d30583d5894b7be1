// Writes src/api/schema.ts: the types of what the studio takes and answers, made of its OpenAPI document. The document
// is the snapshot that the tests of the Rust program compare with the code; `--check` fails when the committed types
// are not what it says.

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import openapiTS, { astToString } from "openapi-typescript";

const web = fileURLToPath(new URL(".", import.meta.url));
const snapshot = join(web, "../crates/gioconda/tests/snapshots/openapi.snap");
const types = join(web, "src/api/schema.ts");

const HEAD = `// Made by \`npm run types\` of crates/gioconda/tests/snapshots/openapi.snap; not to be edited.

`;

/** The OpenAPI document; in the snapshot a header between two lines of dashes stands before it. */
async function openapi() {
  const text = await readFile(snapshot, "utf8");
  return JSON.parse(text.replace(/^---\n.*?\n---\n/s, ""));
}

/** The text of schema.ts. Paths are left out: client.ts has them. */
async function everything() {
  // A field with a default may be left out of a request.
  const tree = await openapiTS({ ...(await openapi()), paths: {} }, { defaultNonNullable: false });
  return HEAD + astToString(tree);
}

const made = await everything();
if (process.argv.includes("--check")) {
  const committed = await readFile(types, "utf8").catch(() => "");
  if (committed !== made) {
    console.error("web/src/api/schema.ts is not what openapi.snap makes; run `npm run types`");
    process.exit(1);
  }
  console.log("web/src/api/schema.ts is up to date");
} else {
  await writeFile(types, made);
  console.log(`web/src/api/schema.ts: ${made.split("\n").length - 1} lines`);
}
