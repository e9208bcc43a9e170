"use strict";

const POLL_MS = 5000;
const TIMEOUT_MS = 8000;
const OLD_MS = 3 * POLL_MS;
const TOKEN_KEY = "ic3.token";
const HASH = "#serial=";
const ZONE = "Asia/Kolkata";
const ZONE_NAME = "IST";
const RUNS = 20;
const SVG = "http://www.w3.org/2000/svg";

/** The server gave no answer. */
class Unreachable extends Error {}

/** The server answered, but not with what was asked for. */
class Refused extends Error {
  constructor(status, words, short = words, retryAfter = null) {
    super(words);
    this.status = status;
    this.short = short;
    this.retryAfter = retryAfter;
  }
}

const byId = (id) => document.getElementById(id);

// Telemetry text enters the page here only: append() makes text nodes of strings.
function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function shape(tag, attributes, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// ---- time and numbers ----

const clockFormat = new Intl.DateTimeFormat("en-GB", { timeZone: ZONE, timeStyle: "medium" });
const dayFormat = new Intl.DateTimeFormat("en-GB", { timeZone: ZONE, dateStyle: "medium" });
const numberFormat = new Intl.NumberFormat("en-IN", { maximumSignificantDigits: 10 });

// Server minus browser clock, of the last polls. The Date header is a whole second, rounded down,
// and an answer takes time to arrive: the largest difference is the nearest.
let clockOffsets = [];

function noteServerTime(date) {
  const offset = Date.parse(date) - Date.now();
  if (Number.isFinite(offset)) clockOffsets = [...clockOffsets.slice(-11), offset];
}

const serverNow = () => Date.now() + (clockOffsets.length ? Math.max(...clockOffsets) : 0);

function timeWords(at) {
  const clock = `${clockFormat.format(at)} ${ZONE_NAME}`;
  const day = dayFormat.format(at);
  return day === dayFormat.format(serverNow()) ? clock : `${day}, ${clock}`;
}

function durationWords(ms) {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

function ageWords(at, suffix) {
  const age = serverNow() - at;
  // A second or two is the coarseness of the Date header, more is a wrong clock.
  if (age < -3000) return `${durationWords(-age)} in the future`;
  return durationWords(Math.max(0, age)) + suffix;
}

function timeNode(iso) {
  return element("time", { datetime: iso }, timeWords(Date.parse(iso)));
}

function ageNode(iso, suffix = "") {
  const words = ageWords(Date.parse(iso), suffix);
  return element("span", { class: "age", "data-at": iso, "data-suffix": suffix }, words);
}

const whenNodes = (iso) => [timeNode(iso), ", ", ageNode(iso, " ago")];

function refreshTimes() {
  setText(byId("clock"), timeWords(serverNow()));
  for (const node of document.querySelectorAll("time")) {
    setText(node, timeWords(Date.parse(node.dateTime)));
  }
  for (const node of document.querySelectorAll("[data-at]")) {
    setText(node, ageWords(Date.parse(node.dataset.at), node.dataset.suffix));
  }
}

const numberWords = (value) => numberFormat.format(value).replace("-", "\u2212");

// ---- asking the server ----

async function ask(path, options = {}) {
  let response;
  let text;
  try {
    response = await fetch(path, { ...options, signal: AbortSignal.timeout(TIMEOUT_MS) });
    text = await response.text();
  } catch (error) {
    const slow = error.name === "TimeoutError" || error.name === "AbortError";
    throw new Unreachable(slow ? `no answer within ${TIMEOUT_MS / 1000} s` : "no connection");
  }
  let data = null;
  try {
    data = JSON.parse(text);
  } catch {
    if (response.ok) throw new Refused(response.status, "the answer is not JSON");
  }
  if (response.ok) return { data, date: response.headers.get("date") };
  const said = [data?.error, data?.detail].filter((each) => typeof each === "string");
  const words = said.join(": ") || response.statusText;
  const request = typeof data?.request_id === "string" ? ` (request ${data.request_id})` : "";
  const retryAfter = response.headers.get("retry-after");
  const whole = `${response.status} ${words}${request}`;
  throw new Refused(response.status, whole, said[0] ?? response.statusText, retryAfter);
}

/** The login in use; null while the login form shows. */
let session = null;

const withToken = (path, mine) =>
  ask(path, { headers: { authorization: `Bearer ${mine.token}` } });

async function askAsUser(path) {
  const mine = session;
  const sent = mine.token;
  try {
    return await withToken(path, mine);
  } catch (error) {
    if (error.status !== 401 || session !== mine) throw error;
    if (mine.token === sent) await renew(mine);
    if (session !== mine) throw error;
    return await withToken(path, mine);
  }
}

/** A new access token for a session; several who ask at once share one. A refusal ends it. */
function renew(mine) {
  mine.renewing ??= exchange(mine).finally(() => (mine.renewing = null));
  return mine.renewing;
}

async function exchange(mine) {
  try {
    const { data } = await ask("/api/auth/refresh", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ refresh_token: mine.refresh }),
    });
    mine.token = data.access_token;
    mine.refresh = data.refresh_token;
    keepSession(mine);
  } catch (error) {
    const refused = error instanceof Refused && error.status < 500;
    if (refused && session === mine) endSession("The login has ended. Log in again.");
    throw error;
  }
}

function keepSession(mine) {
  sessionStorage.setItem(TOKEN_KEY, JSON.stringify([mine.token, mine.refresh]));
}

function keptSession() {
  try {
    const [token, refresh] = JSON.parse(sessionStorage.getItem(TOKEN_KEY));
    return { token, refresh, renewing: null };
  } catch {
    return null;
  }
}

// ---- panels: each says how old it is and what failed ----

const panels = {
  system: { loadedAt: null, failed: false, text: "" },
  runs: { loadedAt: null, failed: false, text: "" },
  live: { loadedAt: null, failed: false, text: "" },
};

async function load(name, path, draw, stillWanted) {
  const panel = panels[name];
  let answer;
  try {
    answer = await askAsUser(path);
  } catch (error) {
    if (!(error instanceof Unreachable || error instanceof Refused)) throw error;
    if (!stillWanted()) return;
    panel.failed = true;
    setText(byId(`${name}-error`), `Cannot be read: ${error.message}`);
    if (name === "system") noteConnection(error instanceof Refused);
    refreshPanels();
    return;
  }
  if (!stillWanted()) return;
  if (name === "system") {
    noteServerTime(answer.date);
    noteConnection(true);
  }
  const text = JSON.stringify(answer.data);
  if (text !== panel.text) {
    draw(answer.data);
    panel.text = text;
  }
  panel.loadedAt = Date.now();
  panel.failed = false;
  setText(byId(`${name}-error`), "");
  refreshPanels();
}

function refreshPanels() {
  for (const [name, { loadedAt, failed }] of Object.entries(panels)) {
    const age = loadedAt === null ? 0 : Date.now() - loadedAt;
    const stale = loadedAt !== null && (failed || age > OLD_MS);
    byId(name).classList.toggle("stale", stale);
    let words = "";
    if (loadedAt !== null) {
      const read = timeWords(loadedAt + serverNow() - Date.now());
      words = `${stale ? "STALE, " : ""}read ${read}, ${durationWords(Math.max(0, age))} ago`;
    }
    setText(byId(`${name}-asof`), words);
  }
}

function resetPanel(name) {
  Object.assign(panels[name], { loadedAt: null, failed: false, text: "" });
  setText(byId(`${name}-error`), "");
  refreshPanels();
}

let answeredAt = Date.now();

function noteConnection(answered) {
  if (answered) answeredAt = Date.now();
  const banner = byId("banner");
  if (answered === banner.hidden) return;
  banner.hidden = answered;
  const since = timeWords(answeredAt + serverNow() - Date.now());
  setText(banner, answered ? "" : `✕ No connection since ${since}, figures are old`);
}

// ---- what runs since when ----

function fact(name, ...children) {
  return element("div", {}, element("dt", {}, name), element("dd", {}, ...children));
}

const trouble = (words) => element("span", { class: "trouble" }, `✕ ${words}`);

function runNodes(run) {
  if (run === null) return ["none yet"];
  const counts = run.error_msg
    ? trouble(`failed: ${run.error_msg}`)
    : `${numberWords(run.duration_ms)} ms, ${numberWords(run.keys_scanned)} keys, ` +
      `${numberWords(run.matched)} matched, ${numberWords(run.unmatched)} unmatched, ` +
      `${numberWords(run.rows_inserted)} rows inserted, ${numberWords(run.tags_skipped)} tags skipped`;
  return [...whenNodes(run.run_at), element("br", {}), counts];
}

function databaseNodes(database) {
  if (database.state === "ok") return ["answers"];
  if (!database.since) return [trouble(database.state)];
  return [trouble(`${database.state} since `), " ", ...whenNodes(database.since)];
}

function drawSystem(stats) {
  byId("simulated").hidden = stats.plant !== "simulated";
  const tiles = [
    ["Assets", stats.assets],
    ["Fresh", stats.fresh],
    ["Stale", stats.stale],
    ["In alarm", stats.in_alarm],
  ];
  byId("tiles").replaceChildren(...tiles.map(([name, count]) => fact(name, numberWords(count))));
  const good = stats.last_good_at ? whenNodes(stats.last_good_at) : ["never"];
  const facts = [
    fact("Server", `IC³ ${stats.version}, since `, ...whenNodes(stats.started_at)),
    fact("Plant", stats.plant),
    fact("Gateway", stats.gateway),
    fact("Last good sweep", ...good),
    fact("Last run", ...runNodes(stats.last_run)),
    fact("Database", ...databaseNodes(stats.database)),
    fact("Listeners", `${numberWords(stats.ws_clients)} on /ws`),
  ];
  if (stats.error) facts.splice(4, 0, fact("Last sweep", trouble(stats.error)));
  byId("facts").replaceChildren(...facts);
}

// ---- the last runs ----

const ROW_HEIGHT = 84;
const PLOT_TOP = 26;
const PLOT_HEIGHT = 48;
const GUTTER = 64;
const AXIS_HEIGHT = 20;
const NARROW = 400;

/** The runs of the picture, oldest first. */
let drawnRuns = [];

const keysOf = (run) => Math.max(run.keys_scanned, run.matched + run.unmatched);
const shareOf = (part, run) => (keysOf(run) ? part / keysOf(run) : 0);
const percentWords = (share) => `${numberWords(Math.round(share * 1000) / 10)} %`;

function pictureRows(runs) {
  const longest = Math.max(0, ...runs.map((run) => run.duration_ms));
  const most = Math.max(0, ...runs.map((run) => run.rows_inserted));
  return [
    {
      title: "Duration",
      maximum: `${numberWords(longest)} ms`,
      parts: (run) => [["bar-plain", longest ? run.duration_ms / longest : 0]],
      newest: (run) => `${numberWords(run.duration_ms)} ms`,
    },
    {
      title: "Keys",
      maximum: "100 %",
      legend: [["bar-plain", "matched"], ["bar-unmatched", "unmatched"]],
      parts: (run) => [
        ["bar-plain", shareOf(run.matched, run)],
        ["bar-unmatched", shareOf(run.unmatched, run)],
      ],
      newest: (run) => `${percentWords(shareOf(run.unmatched, run))} unmatched`,
    },
    {
      title: "Rows inserted",
      maximum: numberWords(most),
      parts: (run) => [["bar-plain", most ? run.rows_inserted / most : 0]],
      newest: (run) => numberWords(run.rows_inserted),
    },
  ];
}

function runTitle(run) {
  const counts =
    `${timeWords(Date.parse(run.run_at))}: ${numberWords(run.duration_ms)} ms, ` +
    `${numberWords(run.keys_scanned)} keys, ${numberWords(run.matched)} matched, ` +
    `${numberWords(run.unmatched)} unmatched, ${numberWords(run.rows_inserted)} rows inserted`;
  return run.error_msg ? `${counts}; failed: ${run.error_msg}` : counts;
}

function rowNodes(row, top, width, columns) {
  const base = top + PLOT_TOP + PLOT_HEIGHT;
  const nodes = [
    shape("text", { x: 0, y: top + 14 }, row.title),
    shape("text", { x: 0, y: top + PLOT_TOP + 4, class: "quiet" }, row.maximum),
    shape("text", { x: 0, y: base, class: "quiet" }, "0"),
    shape("line", { x1: GUTTER, x2: width, y1: top + PLOT_TOP, y2: top + PLOT_TOP, class: "rule" }),
  ];
  let legendAt = 40;
  for (const [kind, name] of row.legend ?? []) {
    nodes.push(shape("rect", { x: legendAt, y: top + 5, width: 9, height: 9, class: kind }));
    nodes.push(shape("text", { x: legendAt + 13, y: top + 14, class: "quiet" }, name));
    legendAt += 74;
  }
  const newest = columns.at(-1).run;
  const lead = width < NARROW ? "" : "newest ";
  const words = lead + (newest.error_msg ? "failed" : row.newest(newest));
  nodes.push(shape("text", { x: width, y: top + 14, "text-anchor": "end" }, words));
  for (const { run, x, size } of columns) {
    let y = base;
    for (const [kind, share] of row.parts(run)) {
      if (share <= 0) continue;
      const height = Math.max(1.5, share * PLOT_HEIGHT);
      y = Math.max(top + PLOT_TOP, y - height);
      const bar = { x, y, width: size, height, class: run.error_msg ? "bar-failed" : kind };
      nodes.push(shape("rect", bar));
    }
    if (run.error_msg) nodes.push(crossNode(x + size / 2, base - 10));
  }
  nodes.push(shape("line", { x1: GUTTER, x2: width, y1: base, y2: base, class: "base" }));
  return nodes;
}

function crossNode(x, y) {
  const r = 4;
  const path = `M${x - r} ${y - r}L${x + r} ${y + r}M${x - r} ${y + r}L${x + r} ${y - r}`;
  return shape("path", { d: path, class: "cross" });
}

function axisNodes(width, y, columns) {
  const newest = columns.at(-1);
  const clock = ({ run }) => timeWords(Date.parse(run.run_at));
  const nodes = [shape("text", { x: width, y, "text-anchor": "end", class: "quiet" }, clock(newest))];
  const oldest = columns[0];
  const half = (GUTTER + width) / 2;
  // Where there is no room for both, the time of the newest run is the one to keep.
  if (oldest.x < half - 60) nodes.push(shape("text", { x: oldest.x, y, class: "quiet" }, clock(oldest)));
  return nodes;
}

function drawPicture() {
  const place = byId("runs-picture");
  const width = place.clientWidth;
  if (!width) return;
  if (!drawnRuns.length) {
    place.replaceChildren(element("p", {}, "No run yet."));
    return;
  }
  const step = (width - GUTTER) / RUNS;
  const columns = drawnRuns.map((run, index) => ({
    run,
    x: width - (drawnRuns.length - index) * step + 1,
    size: step - 2,
  }));
  const rows = pictureRows(drawnRuns);
  const bottom = rows.length * ROW_HEIGHT;
  const hits = columns.map(({ run, x, size }) =>
    shape(
      "rect",
      { x: x - 1, y: 0, width: size + 2, height: bottom, class: "hit" },
      shape("title", {}, runTitle(run)),
    ),
  );
  const height = bottom + AXIS_HEIGHT;
  const failures = drawnRuns.filter((run) => run.error_msg).length;
  const label =
    `Duration, matched and unmatched keys, and rows inserted of the last ${drawnRuns.length} runs, ` +
    `${failures} of them failed; the same figures are in the table below`;
  const picture = shape(
    "svg",
    { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label },
    ...hits,
    ...rows.flatMap((row, index) => rowNodes(row, index * ROW_HEIGHT, width, columns)),
    ...axisNodes(width, bottom + 12, columns),
  );
  place.replaceChildren(picture);
}

function drawRuns(progress) {
  drawnRuns = progress.runs.slice(0, RUNS).reverse();
  drawPicture();
  const failed = progress.runs.filter((run) => run.error_msg);
  byId("runs-failed").replaceChildren(
    ...failed.map((run) => element("li", {}, "✕ ", ...whenNodes(run.run_at), `: ${run.error_msg}`)),
  );
  const count = (value) => element("td", { class: "num" }, numberWords(value));
  byId("runs-table").replaceChildren(
    ...progress.runs.map((run) =>
      element(
        "tr",
        {},
        element("td", {}, timeNode(run.run_at)),
        count(run.duration_ms),
        count(run.keys_scanned),
        count(run.matched),
        count(run.unmatched),
        count(run.rows_inserted),
        count(run.tags_skipped),
        element("td", { class: "words" }, run.error_msg ? `✕ ${run.error_msg}` : ""),
      ),
    ),
  );
}

// ---- live values of an asset ----

let shownSerial = "";

function serialOfHash() {
  const hash = window.location.hash;
  if (!hash.startsWith(HASH)) return "";
  try {
    return decodeURIComponent(hash.slice(HASH.length));
  } catch {
    return "";
  }
}

function valueWords({ value_num: number, value_text: text, unit }) {
  if (number === null && text === null) return "–";
  const words = number === null ? text : numberWords(number);
  return unit ? `${words} ${unit}` : words;
}

function drawLive({ serial_number: serial, monitoring }) {
  const none = monitoring.length === 0;
  setText(byId("live-note"), none ? `No readings for this serial number: ${serial}` : "");
  byId("live-scroll").hidden = none;
  byId("live-table").replaceChildren(
    ...monitoring.map((reading) =>
      element(
        "tr",
        {},
        element("td", {}, reading.tag_code),
        element("td", {}, reading.parameter_name ?? "–"),
        element("td", { class: "num" }, valueWords(reading)),
        element("td", {}, timeNode(reading.recorded_at)),
        element("td", { class: "num" }, ageNode(reading.recorded_at)),
      ),
    ),
  );
}

// The figures of one asset never stand under the name of another.
function clearLive() {
  resetPanel("live");
  setText(byId("live-note"), shownSerial ? "Asking …" : "Enter a serial number to see its readings.");
  byId("live-scroll").hidden = true;
  byId("live-table").replaceChildren();
}

function loadLive() {
  const mine = session;
  const serial = shownSerial;
  const path = `/api/monitoring/live?serial_number=${encodeURIComponent(serial)}`;
  return load("live", path, drawLive, () => session === mine && shownSerial === serial);
}

function followHash() {
  const serial = serialOfHash();
  byId("serial").value = serial;
  if (serial === shownSerial) return;
  shownSerial = serial;
  clearLive();
  if (session !== null && serial) void loadLive();
}

// ---- login and the rounds of a session ----

let wake = () => {};

function pause(ms) {
  return new Promise((resolve) => {
    wake = resolve;
    setTimeout(resolve, ms);
  });
}

async function rounds(mine) {
  const current = () => session === mine;
  while (current()) {
    if (!document.hidden) {
      const loads = [
        load("system", "/api/stats", drawSystem, current),
        load("runs", "/api/monitoring/progress", drawRuns, current),
      ];
      if (shownSerial) loads.push(loadLive());
      for (const each of await Promise.allSettled(loads)) {
        if (each.status === "rejected") console.error(each.reason);
      }
    }
    await pause(POLL_MS);
  }
}

function startSession(mine) {
  session = mine;
  answeredAt = Date.now();
  byId("login").hidden = true;
  byId("room").hidden = false;
  byId("logout").hidden = false;
  clearLive();
  byId("system-title").focus();
  void rounds(session);
}

function endSession(words) {
  session = null;
  sessionStorage.removeItem(TOKEN_KEY);
  for (const name of Object.keys(panels)) resetPanel(name);
  for (const id of ["tiles", "facts", "runs-picture", "runs-failed", "runs-table"]) {
    byId(id).replaceChildren();
  }
  drawnRuns = [];
  clearLive();
  setText(byId("openapi-error"), "");
  byId("banner").hidden = true;
  byId("simulated").hidden = true;
  byId("room").hidden = true;
  byId("logout").hidden = true;
  byId("login").hidden = false;
  byId("password").value = "";
  setText(byId("login-error"), words);
  byId("username").focus();
  wake();
}

function retryWords(retryAfter) {
  const seconds = Number(retryAfter);
  if (retryAfter === null || !Number.isFinite(seconds)) return "Try again later.";
  if (seconds < 120) return `Try again in ${seconds} s.`;
  return `Try again in ${durationWords(Math.ceil(seconds / 60) * 60_000)}.`;
}

function loginTrouble(error) {
  if (error instanceof Unreachable) return `The server cannot be reached: ${error.message}.`;
  switch (error.status) {
    case 401:
      return "User name or password is wrong.";
    case 429:
      return `Too many failed logins. ${retryWords(error.retryAfter)}`;
    case 503:
      return `The server cannot check logins now: ${error.short}. ${retryWords(error.retryAfter)}`;
    default:
      return `The server refused: ${error.message}.`;
  }
}

async function logIn(event) {
  event.preventDefault();
  const button = byId("login-button");
  const credentials = { username: byId("username").value, password: byId("password").value };
  button.disabled = true;
  setText(byId("login-error"), "");
  try {
    const { data } = await ask("/api/auth/login", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(credentials),
    });
    const mine = { token: data.access_token, refresh: data.refresh_token, renewing: null };
    keepSession(mine);
    byId("password").value = "";
    startSession(mine);
  } catch (error) {
    if (!(error instanceof Unreachable || error instanceof Refused)) throw error;
    setText(byId("login-error"), loginTrouble(error));
    byId("password").select();
  } finally {
    button.disabled = false;
  }
}

/** Leaves at once; that the server was told too matters to whoever may have the tokens. */
function logOut() {
  const mine = session;
  endSession("");
  if (!mine) return;
  const headers = { authorization: `Bearer ${mine.token}` };
  ask("/api/auth/logout", { method: "POST", headers }).catch(() => {});
}

// A link sends no token, so the document is fetched with it and handed over as a file.
async function saveApiDocument(event) {
  event.preventDefault();
  setText(byId("openapi-error"), "");
  try {
    const { data } = await askAsUser("/api/openapi.json");
    const file = new Blob([JSON.stringify(data, null, 2)], { type: "application/json" });
    const address = URL.createObjectURL(file);
    element("a", { href: address, download: "ic3-openapi.json" }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  } catch (error) {
    if (!(error instanceof Unreachable || error instanceof Refused)) throw error;
    setText(byId("openapi-error"), `Cannot be read: ${error.message}`);
  }
}

function showSerial(event) {
  event.preventDefault();
  const serial = byId("serial").value.trim();
  window.location.hash = serial ? HASH + encodeURIComponent(serial) : "";
}

function tick() {
  refreshTimes();
  refreshPanels();
}

byId("login-form").addEventListener("submit", logIn);
byId("live-form").addEventListener("submit", showSerial);
byId("openapi").addEventListener("click", saveApiDocument);
byId("logout").addEventListener("click", logOut);
window.addEventListener("hashchange", followHash);
document.addEventListener("visibilitychange", () => {
  tick();
  if (!document.hidden) wake();
});
new ResizeObserver(drawPicture).observe(byId("runs-picture"));
setInterval(tick, 1000);

followHash();
const kept = keptSession();
if (kept) startSession(kept);
else endSession("");
tick();
