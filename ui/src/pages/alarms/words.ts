import { t } from "../../i18n/alarm-row";
import type { Alarm } from "../../live/frames";

const HELD = { shelved: "heldShelved", suppressed: "heldSuppressed", out_of_service: "heldOut" } as const;

export const heldWord = (held: NonNullable<Alarm["held"]>): string => t(HELD[held]);
export const stateWord = ({ held, state }: Pick<Alarm, "held" | "state">): string => (held === null ? t(state) : heldWord(held));

type What = "new" | "ack" | "return" | "clear" | "shelve" | "unshelve" | "comment";
export const whatWord = (what: string): string => t(`what_${what as What}`);
