/** What can be measured: names in both languages, units, decimals. */

import { type Answer, get } from "./api/client";
import { loaded } from "./loaded.svelte";
import { settings } from "./settings.svelte";

type Parameter = Answer<"/api/parameters", "get">["parameters"][number];

export function loadedParameters() {
  const read = loaded((signal) => get<Answer<"/api/parameters", "get">>("/api/parameters", { signal }));
  const byCode = $derived(new Map(read.data?.parameters.map((each) => [each.param_tag_code, each])));
  return {
    of: (code: string | null): Parameter | undefined => (code === null ? undefined : byCode.get(code)),
    /** The name of a parameter in the person's language, otherwise what is given. */
    nameOf(code: string | null, otherwise: string): string {
      const found = code === null ? undefined : byCode.get(code);
      return (settings.language === "hi" && found?.name_hi) || found?.parameter_name || otherwise;
    },
  };
}
