/** Whether the screen is a phone's: tables then stack their columns. */

const query = matchMedia("(max-width: 640px)");
let narrow = $state(query.matches);
query.addEventListener("change", ({ matches }) => (narrow = matches));

export const screen = {
  get narrow(): boolean {
    return narrow;
  },
};
