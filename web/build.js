// Builds the pages into crates/studio/assets, where the Rust program embeds them. The files are committed, so that
// building the program needs no npm; `--check` builds in memory and fails when they are not what the sources say.
//
// Every file but index.html carries a hash of its content in its name and may be cached for ever.

import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const web = fileURLToPath(new URL(".", import.meta.url));
const assets = join(web, "../crates/studio/assets");

const shared = {
  absWorkingDir: web,
  bundle: true,
  charset: "utf8",
  entryNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  format: "esm",
  legalComments: "none",
  loader: { ".woff2": "file", ".svg": "copy" },
  metafile: true,
  minify: true,
  outdir: assets,
  publicPath: "/assets/",
  target: ["chrome116", "firefox121", "safari17"],
  write: false,
};

/** What esbuild made of one entry point: its files, and the name of the entry's own. */
async function bundle(entry, define = {}) {
  const made = await build({ ...shared, entryPoints: [entry], define });
  const files = new Map(made.outputFiles.map((file) => [basename(file.path), file.contents]));
  const [path, own] = Object.entries(made.metafile.outputs).find(([, output]) => output.entryPoint === entry);
  return { files, name: basename(path), style: own.cssBundle && basename(own.cssBundle) };
}

/** All files of the assets folder, by name. */
async function everything() {
  const camera = await bundle("src/live/camera.worker.ts");
  const capture = await bundle("src/sound/capture.worklet.ts");
  const icon = await bundle("src/styles/icon.svg");
  const app = await bundle("src/app.tsx", {
    CAMERA_WORKER: JSON.stringify(`/assets/${camera.name}`),
    CAPTURE_WORKLET: JSON.stringify(`/assets/${capture.name}`),
  });
  const template = await readFile(join(web, "src/index.html"), "utf8");
  const page = template
    .replace("{{icon}}", `/assets/${icon.name}`)
    .replace("{{style}}", `/assets/${app.style}`)
    .replace("{{script}}", `/assets/${app.name}`);
  const fonts = await readFile(join(web, "src/styles/fonts-licence.txt"));
  return new Map([
    ...camera.files,
    ...capture.files,
    ...icon.files,
    ...app.files,
    ["fonts-licence.txt", fonts],
    ["index.html", Buffer.from(page)],
  ]);
}

/** Names of the files that are missing in the folder, differ from it or are left over in it. */
async function differences(made) {
  const committed = await readdir(assets).catch(() => []);
  const changed = [];
  for (const [name, contents] of made) {
    const there = committed.includes(name) && (await readFile(join(assets, name)));
    if (!there || Buffer.compare(there, contents) !== 0) changed.push(name);
  }
  return [...changed, ...committed.filter((name) => !made.has(name))];
}

const made = await everything();
if (process.argv.includes("--check")) {
  const changed = await differences(made);
  if (changed.length > 0) {
    console.error(`crates/studio/assets is not what web/src makes (${changed.join(", ")}); run \`npm run build\``);
    process.exit(1);
  }
  console.log(`crates/studio/assets is up to date: ${made.size} files`);
} else {
  await rm(assets, { recursive: true, force: true });
  await mkdir(assets, { recursive: true });
  for (const [name, contents] of made) await writeFile(join(assets, name), contents);
  const bytes = [...made.values()].reduce((sum, contents) => sum + contents.length, 0);
  console.log(`crates/studio/assets: ${made.size} files, ${Math.round(bytes / 1024)} KiB`);
}
