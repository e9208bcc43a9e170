import { dictionary } from "./index.svelte";

/** Texts of the strip of the last runs. */
export const t = dictionary({
  en: {
    matched: "keys matched", ingest: "Ingest, last {n} runs", duration: "Duration", keys: "Keys", rows: "Rows",
    max: "max {value}", ofKeys: "{n} = 100 %", matchedLegend: "matched", unmatchedLegend: "unmatched",
    run: "{at}: {ms} ms · {matched} matched, {unmatched} unmatched of {keys} keys · {rows} rows",
    runError: "✕ {at}: {why}", overdueRun: "✕ OVERDUE: the last run was {age} ago, one is due every {every}.",
    noRuns: "No run has ended yet.", chooseRun: "Run",
  },
  hi: {
    matched: "मिली कुंजियाँ", ingest: "डेटा प्रवाह, पिछले {n} दौर", duration: "अवधि", keys: "कुंजियाँ",
    rows: "पंक्तियाँ", max: "अधिकतम {value}", ofKeys: "{n} = 100 %", matchedLegend: "मिली",
    unmatchedLegend: "बिना मेल",
    run: "{at}: {ms} ms · {keys} कुंजियों में {matched} मिलीं, {unmatched} बिना मेल · {rows} पंक्तियाँ",
    runError: "✕ {at}: {why}", overdueRun: "✕ देर: पिछला दौर {age} पहले था, हर {every} में एक होना चाहिए।",
    noRuns: "अभी कोई दौर पूरा नहीं हुआ।", chooseRun: "दौर",
  },
});
