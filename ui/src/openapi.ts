/** The OpenAPI document as a page reads it: operations by subject, types in words. */

/** A part of the document; its form is that of OpenAPI 3.1 and is not spelled out here. */
export type Node = { [name: string]: any };

export interface Typed {
  /** Such as "string, date-time" or "list of". */
  words: string;
  /** Name of the schema that follows the words. */
  schema: string | null;
}
export interface Field extends Typed {
  name: string;
  required: boolean;
  limits: string;
  description: string;
}
export interface Parameter extends Field {
  place: "path" | "query" | "header" | "cookie";
}
export interface Operation {
  id: string;
  method: string;
  path: string;
  subject: string;
  summary: string;
  description: string;
  role: string;
  parameters: Parameter[];
  bodies: (Typed & { media: string })[];
  answers: (Typed & { status: string; description: string; media: string })[];
}

const METHODS = ["get", "post", "put", "patch", "delete"];
const PLACES = ["path", "query", "header", "cookie"];
const SCHEMAS = "#/components/schemas/";
// [name in the document, words before the number or text]
const LIMITS: [string, string][] = [
  ["minimum", "≥ "], ["maximum", "≤ "], ["exclusiveMinimum", "> "], ["exclusiveMaximum", "< "], ["minLength", "length ≥ "],
  ["maxLength", "length ≤ "], ["minItems", "items ≥ "], ["maxItems", "items ≤ "], ["pattern", "pattern "],
];

/** All operations, by subject and then by path. */
export function operationsOf(document: Node): Operation[] {
  const found = Object.entries<Node>(document["paths"]).flatMap(([path, methods]) =>
    METHODS.filter((method) => methods[method]).map((method) => operationOf(path, method, methods[method])),
  );
  const order = (one: Operation): string => `${one.subject} ${one.path}`;
  return found.sort((a, b) => (order(a) < order(b) ? -1 : order(a) > order(b) ? 1 : 0));
}

/** Those in whose path, summary or method every word of a search stands. */
export function search(operations: Operation[], words: string): Operation[] {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  return operations.filter((one) => {
    const text = `${one.method} ${one.path} ${one.summary}`.toLowerCase();
    return wanted.every((word) => text.includes(word));
  });
}

/** The fields of a named schema; none of one that has none, such as an enumeration. */
export function fieldsOf(schema: Node): Field[] {
  const required: string[] = schema["required"] ?? [];
  return Object.entries<Node>(schema["properties"] ?? {}).map(([name, each]) => fieldOf(name, each, required.includes(name)));
}

/** What a schema is, in words; a named one is named, not opened. */
export function typed(schema: Node | undefined): Typed {
  if (!schema || !Object.keys(schema).length) return { words: "anything", schema: null };
  if (schema["$ref"]) return { words: "", schema: schema["$ref"].slice(SCHEMAS.length) };
  if (schema["enum"]) return { words: schema["enum"].map((each: unknown) => JSON.stringify(each)).join(" | "), schema: null };
  if (schema["const"] !== undefined) return { words: JSON.stringify(schema["const"]), schema: null };
  const choices: Node[] | undefined = schema["anyOf"] ?? schema["allOf"];
  if (choices) return joined(choices.map(typed));
  if (schema["type"] === "array") {
    const item = typed(schema["items"]);
    return { words: `list of ${item.words}`.trim(), schema: item.schema };
  }
  const words = [schema["type"] ?? "anything", schema["format"], schema["contentMediaType"]].filter(Boolean).join(", ");
  return { words, schema: null };
}

/** A text with `code` and **strong** in it, in pieces. */
export function pieces(text: string): { kind: "text" | "code" | "strong"; text: string }[] {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).filter(Boolean).map((part) => {
    if (part.startsWith("`")) return { kind: "code", text: part.slice(1, -1) };
    if (part.startsWith("**")) return { kind: "strong", text: part.slice(2, -2) };
    return { kind: "text", text: part };
  });
}

function operationOf(path: string, method: string, one: Node): Operation {
  const bodies = Object.entries<Node>(one["requestBody"]?.["content"] ?? {});
  return {
    id: `${method}-${path}`.replace(/[^\w]+/g, "-"), method: method.toUpperCase(), path, subject: subjectOf(path),
    summary: one["summary"] ?? "", description: one["description"] ?? "", role: one["x-least-role"] ?? "",
    parameters: (one["parameters"] ?? []).map(parameterOf).sort((a: Parameter, b: Parameter) => PLACES.indexOf(a.place) - PLACES.indexOf(b.place)),
    bodies: bodies.map(([media, each]) => ({ media, ...typed(each["schema"]) })),
    answers: Object.entries<Node>(one["responses"] ?? {}).map(([status, each]) => {
      const [media, content] = Object.entries<Node>(each["content"] ?? {})[0] ?? ["", null];
      return { status, description: each["description"] ?? "", media, ...(content ? typed(content["schema"]) : { words: "", schema: null }) };
    }),
  };
}

/** `/api/work-orders/{order_id}` is of `work-orders`, `/livez` of `livez`. */
function subjectOf(path: string): string {
  const [, first = "", second] = path.split("/");
  return first === "api" && second ? second.replace(/\.\w+$/, "") : first;
}

function parameterOf(one: Node): Parameter {
  return { place: one["in"], ...fieldOf(one["name"], { ...one["schema"], description: one["description"] }, !!one["required"]) };
}

function fieldOf(name: string, schema: Node, required: boolean): Field {
  const limits = LIMITS.filter(([key]) => schema[key] !== undefined).map(([key, words]) => words + schema[key]);
  if (schema["default"] !== undefined && schema["default"] !== null) limits.push(`default ${JSON.stringify(schema["default"])}`);
  return { name, required, limits: limits.join(", "), description: schema["description"] ?? "", ...typed(schema) };
}

function joined(choices: Typed[]): Typed {
  const words = choices.map((each) => each.words).filter(Boolean);
  return { words: words.join(" or "), schema: choices.find((each) => each.schema)?.schema ?? null };
}

/** The named schemas that an operation's bodies are made of, nearest first. */
export function schemasOf(document: Node, one: Operation): { name: string; schema: Node }[] {
  const all: Node = document["components"]["schemas"];
  const names = [...new Set([...one.bodies, ...one.parameters, ...one.answers].flatMap((each) => each.schema ?? []))];
  for (const name of names) {
    for (const each of namesIn(all[name])) if (!names.includes(each)) names.push(each);
  }
  return names.filter((name) => all[name]).map((name) => ({ name, schema: all[name] }));
}

function namesIn(node: unknown): string[] {
  if (Array.isArray(node)) return node.flatMap(namesIn);
  if (typeof node !== "object" || node === null) return [];
  return Object.entries(node).flatMap(([key, each]) =>
    key === "$ref" && typeof each === "string" ? [each.slice(SCHEMAS.length)] : namesIn(each),
  );
}
