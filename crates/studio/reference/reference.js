// Shows openapi.json to people: operations by tag, with parameters, answers and the shape of bodies.

const answer = await fetch("/api/openapi.json");
const document_ = await answer.json();
const schemas = document_.components?.schemas ?? {};

function element(name, text, ...children) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  made.append(...children);
  return made;
}

/** A schema as an example-like sketch; names of schemas are followed to some depth. */
function sketch(schema, depth = 0) {
  if (!schema || depth > 6) return "…";
  if (schema.$ref) return sketch(schemas[schema.$ref.split("/").at(-1)], depth + 1);
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices) return choices.map((choice) => sketch(choice, depth)).join(" | ");
  if (schema.allOf) return schema.allOf.map((part) => sketch(part, depth)).join(" & ");
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.type === "array" || schema.items) return `[${sketch(schema.items, depth)}]`;
  if (schema.properties) {
    const pad = "  ".repeat(depth + 1);
    const required = new Set(schema.required ?? []);
    const lines = Object.entries(schema.properties).map(
      ([name, of]) => `${pad}${name}${required.has(name) ? "" : "?"}: ${sketch(of, depth + 1)}`,
    );
    return `{\n${lines.join(",\n")}\n${"  ".repeat(depth)}}`;
  }
  return [schema.type].flat().filter(Boolean).join(" | ") || "any";
}

function bodies(content) {
  return Object.entries(content ?? {}).flatMap(([kind, { schema }]) => [
    element("p", kind),
    ...(kind === "application/json" ? [element("pre", sketch(schema))] : []),
  ]);
}

function rows(caption, entries) {
  if (entries.length === 0) return [];
  const lines = entries.map((cells) => element("tr", "", ...cells.map((cell) => element("td", cell))));
  return [element("table", "", element("caption", caption), ...lines)];
}

function operation(method, path, what) {
  const summary = element("summary", "");
  const name = element("code", method.toUpperCase());
  name.className = "method";
  summary.append(name, element("code", path), element("span", what.summary ?? ""));
  const details = element("details", "", summary);
  if (what.description) details.append(element("p", what.description));
  details.append(
    ...rows("Parameters", (what.parameters ?? []).map((p) => [p.name, p.in, p.description ?? ""])),
    ...bodies(what.requestBody?.content),
    ...rows("Answers", Object.entries(what.responses).map(([status, { description }]) => [status, description])),
    ...bodies(Object.entries(what.responses).find(([status]) => status.startsWith("2"))?.[1].content),
  );
  return details;
}

document.getElementById("about").textContent = document_.info.description;
const main = document.getElementById("operations");
main.replaceChildren();
for (const tag of document_.tags) {
  const about = element("p", tag.description);
  about.className = "quiet";
  main.append(element("h2", tag.name), about);
  for (const [path, methods] of Object.entries(document_.paths)) {
    for (const [method, what] of Object.entries(methods)) {
      if (what.tags?.includes(tag.name)) main.append(operation(method, path, what));
    }
  }
}
