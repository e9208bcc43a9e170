export const STATES = [
  "draft", "open", "assigned", "in_progress", "on_hold", "reopened", "done", "verified", "closed", "cancelled",
] as const;
export type State = (typeof STATES)[number];
/** States in which there is something left to be done by somebody. */
export const NOT_OVER: State[] = ["draft", "open", "assigned", "in_progress", "on_hold", "reopened", "done"];
