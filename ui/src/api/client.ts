/** Asks the server: JSON in and out, refusals as `Problem`. Who asks is `session.svelte.ts`. */

import type { paths } from "../api";
import { instantOf } from "../formats";
import { clock } from "../clock.svelte";
import { session } from "./session.svelte";

const TIMEOUT_MS = 15_000;

/** What a refusal said (RFC 9457), or that there was no answer: then `status` is 0. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly short: string,
    readonly detail = "",
    readonly requestId = "",
    readonly retryAfterS: number | null = null,
    /** Of a file that was refused: what is wrong, line by line. */
    readonly problems: readonly string[] = [],
  ) {
    super(detail ? `${short}: ${detail}` : short);
  }
}

type Method = "get" | "post" | "put" | "patch" | "delete";
type JsonOf<R> = R extends { content: { "application/json": infer T } } ? T : never;
/** What a route answers, by method and path as the OpenAPI document spells it. */
export type Answer<P extends keyof paths, M extends Method> = paths[P][M] extends { responses: infer R }
  ? JsonOf<R[keyof R & (200 | 201 | 202)]>
  : never;

export interface Ask {
  /** Sent as JSON; a Blob or File as it is. */
  body?: unknown;
  query?: URLSearchParams | Record<string, string | number | boolean | null | undefined | readonly string[]>;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  timeoutMs?: number;
}

/** A path with its parts encoded: `path("/api/assets/{serial_number}", serial)`. */
export const path = (pattern: string, ...parts: (string | number)[]): string => {
  let place = 0;
  return pattern.replace(/\{\w+\}/g, () => encodeURIComponent(parts[place++]!));
};

/** Asks and gives the answer's body; `get<Answer<"/api/stats", "get">>("/api/stats")`. */
export const get = async <T>(at: string, ask: Ask = {}): Promise<T> => (await send("GET", at, ask)).json() as Promise<T>;
export const post = <T = void>(at: string, body?: unknown, ask: Ask = {}) => change<T>("POST", at, { ...ask, body });
export const put = <T = void>(at: string, body?: unknown, ask: Ask = {}) => change<T>("PUT", at, { ...ask, body });
export const patch = <T = void>(at: string, body?: unknown, ask: Ask = {}) => change<T>("PATCH", at, { ...ask, body });
export const remove = <T = void>(at: string, ask: Ask = {}) => change<T>("DELETE", at, ask);

/** The same with the tag that a change of it needs as `If-Match`. */
export async function getTagged<T>(at: string, ask: Ask = {}): Promise<{ body: T; etag: string }> {
  const response = await send("GET", at, ask);
  return { body: (await response.json()) as T, etag: response.headers.get("etag") ?? "" };
}

/** Saves what a route answers as a file: a link cannot carry the login. */
export async function download(at: string, name: string, ask: Ask = {}): Promise<void> {
  const response = await send("GET", at, { timeoutMs: 600_000, ...ask });
  const url = URL.createObjectURL(await response.blob());
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

async function change<T>(method: string, at: string, ask: Ask): Promise<T> {
  const headers = method === "POST" ? { "idempotency-key": crypto.getRandomValues(new Uint32Array(4)).join("-"), ...ask.headers } : ask.headers;
  const response = await send(method, at, { ...ask, ...(headers && { headers }) });
  const text = await response.text();
  return (text ? JSON.parse(text) : undefined) as T;
}

/** Asks with the login; where its token has just ended, once more with the next one. */
export async function send(method: string, at: string, ask: Ask = {}): Promise<Response> {
  const token = await session.token();
  try {
    return await sendAs(token, method, at, ask);
  } catch (error) {
    // Not for every 401: a wrong password sent twice counts twice against who mistyped it.
    if (!(error instanceof Problem) || error.status !== 401 || error.short !== "login required") throw error;
    return sendAs(await session.renewed(token), method, at, ask);
  }
}

/** Asks with this token, or without one. */
export async function sendAs(token: string | null, method: string, at: string, ask: Ask = {}): Promise<Response> {
  const { body, signal, timeoutMs = TIMEOUT_MS } = ask;
  const raw = body instanceof Blob;
  const headers: Record<string, string> = { accept: "application/json", ...ask.headers };
  if (token) headers.authorization = `Bearer ${token}`;
  if (body !== undefined && !raw) headers["content-type"] = "application/json";
  const limits = [AbortSignal.timeout(timeoutMs), ...(signal ? [signal] : [])];
  let response: Response;
  try {
    response = await fetch(at + queryOf(ask.query), {
      method, headers, signal: AbortSignal.any(limits),
      ...(body !== undefined && { body: raw ? body : JSON.stringify(body) }),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem(0, "no answer");
  }
  clock.heard(instantOf(response.headers.get("date")));
  if (response.ok) return response;
  throw await problemOf(response);
}

async function problemOf(response: Response): Promise<Problem> {
  const said = (await response.json().catch(() => ({}))) as Partial<Record<string, string>> & { problems?: string[] };
  const wait = Number(response.headers.get("retry-after") ?? NaN);
  return new Problem(
    response.status, said.error ?? response.statusText, said.detail,
    said.request_id ?? response.headers.get("x-request-id") ?? "", Number.isFinite(wait) ? wait : null,
    said.problems ?? [],
  );
}

function queryOf(query: Ask["query"]): string {
  if (!query) return "";
  if (query instanceof URLSearchParams) return query.size ? `?${query}` : "";
  const pairs = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const each of [value ?? []].flat()) pairs.append(name, String(each));
  }
  return pairs.size ? `?${pairs}` : "";
}
