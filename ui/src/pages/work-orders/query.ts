import { NOT_OVER } from "./states";

export const SORTS = ["created", "due", "priority", "updated"] as const;

/** What the server is asked for a view: the same for the list, the board and the file. */
export function wanted(url: URLSearchParams, username: string): URLSearchParams {
  const asked = new URLSearchParams();
  const copy = (from: string, to = from) => url.getAll(from).forEach((each) => asked.append(to, each));
  const states = url.getAll("state");
  if (states.length === 0) NOT_OVER.forEach((each) => asked.append("state", each));
  else if (!states.includes("all")) copy("state");
  copy("pri", "priority");
  copy("domain");
  copy("team");
  copy("asset", "serial_number");
  if (url.get("overdue") === "1") asked.set("overdue", "true");
  if (url.get("mine") === "1") asked.set("assignee", username);
  else copy("assignee");
  if (url.get("q")) asked.set("q", url.get("q")!);
  if (SORTS.includes(url.get("sort") as (typeof SORTS)[number])) asked.set("sort", url.get("sort")!);
  return asked;
}
