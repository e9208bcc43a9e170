/** What the address of the page asks of the API. */

const NAMES: Record<string, string> = { pri: "priority", domain: "domain", dma: "dma", source: "source", condition: "condition", q: "q" };

/** The filters of an address, as `/api/alarms` and `/api/alarms.csv` take them. */
export function filtersOf(query: URLSearchParams): URLSearchParams {
  const asked = new URLSearchParams();
  for (const [name, theirs] of Object.entries(NAMES)) {
    for (const value of query.getAll(name)) asked.append(theirs, value);
  }
  return asked;
}

export const isFiltered = (query: URLSearchParams): boolean => Object.keys(NAMES).some((name) => query.has(name));
export const NO_FILTERS: Record<string, null> = Object.fromEntries([...Object.keys(NAMES), "cursor"].map((name) => [name, null]));
