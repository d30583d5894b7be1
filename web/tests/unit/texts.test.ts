import assert from "node:assert/strict";
import { test } from "node:test";
import { choose, LANGUAGES, TEXTS } from "../../src/text/language";

type Tree = { [name: string]: string | ((...words: string[]) => string) | Tree };

/** Every text by its path; those with gaps are filled with marks. */
function flatten(tree: Tree, path = ""): Map<string, string> {
  const flat = new Map<string, string>();
  for (const [name, text] of Object.entries(tree)) {
    const here = `${path}/${name}`;
    if (typeof text === "string") flat.set(here, text);
    else if (typeof text === "function") flat.set(here, text("‹1›", "‹2›"));
    else for (const [deeper, words] of flatten(text, here)) flat.set(deeper, words);
  }
  return flat;
}

test("all languages say everything, with the same gaps", () => {
  const english = flatten(TEXTS.en as unknown as Tree);
  for (const language of LANGUAGES) {
    const other = flatten(TEXTS[language] as unknown as Tree);
    assert.deepEqual([...other.keys()].sort(), [...english.keys()].sort(), language);
    for (const [path, text] of other) {
      assert.ok(text.trim() !== "", `${language}${path} is empty`);
      const gaps = (words: string | undefined) => (words?.match(/‹\d›/g) ?? []).sort();
      assert.deepEqual(gaps(text), gaps(english.get(path)), `${language}${path}: ${text}`);
    }
  }
});

test("the first language that is spoken here is chosen", () => {
  const cases: [string[], string][] = [
    [["it-CH", "en"], "it"],
    [["fr", "es-MX"], "es"],
    [["de"], "en"],
    [[], "en"],
  ];
  for (const [wanted, spoken] of cases) assert.equal(choose(wanted), spoken);
});
