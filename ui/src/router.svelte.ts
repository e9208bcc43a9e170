/** URLs are the state: path is the page, the query holds filters, time and selection. */

const here = $state({ path: location.pathname, search: location.search });
// Asked before a page with something typed is left; false keeps it.
let guard: (() => boolean) | null = null;

export const router = {
  /** As the address has it, still percent-encoded. */
  get path(): string {
    return here.path;
  },
  get query(): URLSearchParams {
    return new URLSearchParams(here.search);
  },
};

export function guardLeaving(may: (() => boolean) | null): void {
  guard = may;
}

export function navigate(to: string, { replace = false, keepFocus = false } = {}): void {
  const url = new URL(to, location.href);
  if (url.pathname !== here.path && guard && !guard()) return;
  history[replace ? "replaceState" : "pushState"](null, "", url);
  take();
  if (!keepFocus) scrollTo(0, 0);
}

/** Changes parameters of the query and keeps the others; null or "" removes one. */
export function setQuery(changes: Record<string, string | string[] | null>, { replace = true } = {}): void {
  const query = router.query;
  for (const [name, value] of Object.entries(changes)) {
    query.delete(name);
    for (const each of [value ?? []].flat()) if (each !== "") query.append(name, each);
  }
  navigate(here.path + (query.size ? `?${query}` : ""), { replace, keepFocus: true });
}

function take(): void {
  here.path = location.pathname;
  here.search = location.search;
}

/** Follows links inside the dashboard, and the browser's back and forward. */
export function startRouter(): void {
  addEventListener("popstate", take);
  addEventListener("click", (event) => {
    const link = (event.target as Element).closest?.("a[href]");
    if (!(link instanceof HTMLAnchorElement) || event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    if (link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
    if (/^\/(api|ws|_ui)(\/|$)/.test(link.pathname) || link.getAttribute("href")!.startsWith("#")) return;
    event.preventDefault();
    navigate(link.href);
  });
}
