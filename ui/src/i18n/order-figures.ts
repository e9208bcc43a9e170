import { dictionary } from "./index.svelte";

/** Texts of the figures of work orders. */
export const t = dictionary({
  en: {
    title: "Reliability, most downtime first", by: "By", kind: "Kind", asset: "Asset", domain: "Domain",
    last30: "Last 30 days", last90: "Last 90 days", last365: "Last 365 days",
    assets: "Assets", failures: "Failures", repairs: "Repairs", downtime: "Downtime", mttr: "Time to repair (MTTR)",
    mtbf: "Time between failures (MTBF)", availability: "Availability", unnamed: "of no asset",
    span: "{from} to {until}.",
    meaning: "A failure begins when its alarm was raised or it was reported, and ends when the measured value returned or the work was done. What never failed is not listed.",
    none: "Nothing failed in this time, as far as corrective work orders tell.", noRepair: "nothing was repaired", noFailure: "nothing failed", cut: "The first {n} only.",
  },
  hi: {
    title: "विश्वसनीयता, सबसे अधिक बंदी पहले", by: "किसके अनुसार", kind: "प्रकार", asset: "परिसंपत्ति", domain: "क्षेत्र",
    last30: "पिछले 30 दिन", last90: "पिछले 90 दिन", last365: "पिछले 365 दिन",
    assets: "परिसंपत्तियाँ", failures: "खराबियाँ", repairs: "मरम्मतें", downtime: "बंद समय", mttr: "मरम्मत का समय (MTTR)",
    mtbf: "खराबियों के बीच का समय (MTBF)", availability: "उपलब्धता", unnamed: "बिना परिसंपत्ति",
    span: "{from} से {until} तक।",
    meaning: "खराबी अलार्म उठने या सूचना मिलने पर शुरू होती है, और माप सामान्य होने या काम पूरा होने पर समाप्त। जो कभी खराब नहीं हुआ, वह सूची में नहीं।",
    none: "सुधार के कार्य आदेशों के अनुसार इस समय में कुछ खराब नहीं हुआ।", noRepair: "कुछ मरम्मत नहीं हुआ", noFailure: "कुछ खराब नहीं हुआ", cut: "केवल पहले {n}।",
  },
});
