import { describe, expect, it } from "vitest";
import { fieldsOf, operationsOf, pieces, schemasOf, search, typed, type Node } from "../src/openapi";

const document: Node = {
  paths: {
    "/livez": { get: { summary: "Alive", responses: { 200: { description: "Yes" } } } },
    "/api/orders/{id}": {
      post: {
        summary: "Act on an order", "x-least-role": "operator",
        parameters: [
          { name: "If-Match", in: "header", required: true, schema: { type: "string" } },
          { name: "id", in: "path", required: true, schema: { type: "integer", minimum: 1 } },
        ],
        requestBody: { content: { "application/json": { schema: { $ref: "#/components/schemas/Act" } } } },
        responses: { 201: { description: "Done", content: { "application/json": { schema: { $ref: "#/components/schemas/Order" } } } } },
      },
    },
    "/api/orders.csv": { get: { summary: "As CSV", responses: {} } },
  },
  components: {
    schemas: {
      Act: { properties: { note: { type: "string", maxLength: 9, default: "" } }, required: ["note"] },
      Order: { properties: { lines: { type: "array", items: { $ref: "#/components/schemas/Line" } } } },
      Line: { properties: { state: { $ref: "#/components/schemas/State" } } },
      State: { enum: ["open", "closed"] },
      Other: {},
    },
  },
};

describe("the OpenAPI document", () => {
  const operations = operationsOf(document);
  const act = operations.find((one) => one.method === "POST")!;

  it("gives operations by subject, a list and its CSV together", () => {
    expect(operations.map((one) => [one.subject, one.method])).toEqual([["livez", "GET"], ["orders", "GET"], ["orders", "POST"]]);
  });
  it("says who may, and has the path's parameters first", () => {
    expect(act.role).toBe("operator");
    expect(act.parameters.map((each) => [each.place, each.name, each.limits])).toEqual([["path", "id", "≥ 1"], ["header", "If-Match", ""]]);
  });
  it("finds by words in any order", () => {
    expect(search(operations, "order act")).toEqual([act]);
    expect(search(operations, "order pump")).toEqual([]);
    expect(search(operations, " ")).toHaveLength(3);
  });
  it("follows named bodies to the last", () => {
    expect(schemasOf(document, act).map((each) => each.name)).toEqual(["Act", "Order", "Line", "State"]);
  });
  it("gives fields with their limits", () => {
    expect(fieldsOf(document["components"].schemas.Act)).toEqual([
      { name: "note", required: true, limits: 'length ≤ 9, default ""', description: "", words: "string", schema: null },
    ]);
  });
  it.each([
    [{ $ref: "#/components/schemas/Line" }, { words: "", schema: "Line" }],
    [{ enum: ["a", 1] }, { words: '"a" | 1', schema: null }],
    [{ type: "array", items: { $ref: "#/components/schemas/Line" } }, { words: "list of", schema: "Line" }],
    [{ anyOf: [{ type: "string", format: "date-time" }, { type: "null" }] }, { words: "string, date-time or null", schema: null }],
    [{ anyOf: [{ $ref: "#/components/schemas/Line" }, { type: "null" }] }, { words: "null", schema: "Line" }],
    [{}, { words: "anything", schema: null }],
    [undefined, { words: "anything", schema: null }],
  ])("says %j in words", (schema, words) => {
    expect(typed(schema as Node)).toEqual(words);
  });
  it("parts a text into code, strong and plain words", () => {
    expect(pieces("**Lists.** ask `next` again")).toEqual([
      { kind: "strong", text: "Lists." }, { kind: "text", text: " ask " }, { kind: "code", text: "next" }, { kind: "text", text: " again" },
    ]);
  });
});
