import type { components } from "../../api";

export type Order = components["schemas"]["OrderView"];
export type OneOrder = components["schemas"]["OneOrder"];
export type Move = components["schemas"]["Move"];

/** What a panel of an order gets beside the order: asks for all of it again. */
export type Changed = () => Promise<void>;
