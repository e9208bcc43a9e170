/** The filter of the map and of its table, as the query of the URL has it. */

import { type Condition, CONDITIONS, type Filter, LAYERS, type LayerName } from "./points";

const among = <T extends string>(values: string[], known: readonly T[]): T[] =>
  known.filter((each) => values.includes(each));

export const filterOf = (query: URLSearchParams): Filter => ({
  words: query.get("q") ?? "",
  dmas: query.getAll("dma"),
  kinds: query.getAll("kind"),
  conditions: among<Condition>(query.getAll("state"), CONDITIONS),
  hidden: among<LayerName>(query.getAll("hide"), LAYERS),
});

/** The address of the assets of a state, as a table. */
export const listOf = (condition: Condition): string => `/map?table=1&state=${condition}`;
