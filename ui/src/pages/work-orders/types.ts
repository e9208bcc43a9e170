import type { components } from "../../api";
import { session } from "../../api/session.svelte";

export type Order = components["schemas"]["OrderView"];
export type OneOrder = components["schemas"]["OneOrder"];
export type Move = components["schemas"]["Move"];

/** What a panel of an order gets beside the order: asks for all of it again. */
export type Changed = () => Promise<void>;

/** Notes and photos are everybody's who operates; the work itself is that of who does it (`may_work`). */
export const mayNote = ({ state }: Order): boolean =>
  session.can("operator") && state !== "closed" && state !== "cancelled";
