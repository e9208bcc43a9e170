import { dictionary } from "./index.svelte";

export const t = dictionary({
  en: {
    lastRun: "Last run {age} ago; one is due every {every}.",
    overdue: "OVERDUE: the last run was {age} ago, one is due every {every}.",
    failedRun: "The last run failed: {why}",
    noRuns: "No run has ended yet.",
    strip: "Runs, last 24 h", stripOf: "{n} runs, {failed} failed",
    duration: "Longest", matched: "Keys matched", rows: "Rows", max: "max {value}", whole: "100 % = scanned",
    part: "Span", pointed: "{at}: {runs} runs, {failed} failed · longest {ms} ms · {matched} of {keys} keys matched · {rows} rows",
    pointedNone: "{at}: no run", noneLegend: "no run", failLegend: "failed run",
    failures: "Failed runs, last 24 h", noFailures: "No run failed.",
    runs: "Runs", began: "Began", ms: "ms", listing: "List", reading: "Read", writing: "Map, write",
    scanned: "Keys", unmatched: "Unmatched", rowsWritten: "Rows written", skipped: "Tags skipped", outcome: "Outcome",
    good: "ended", open: "Run of {at}", failed: "failed: {why}",
    phasesLater: "Times by phase are known of runs that ended since this page was opened; an opened run always has them.",
    phases: "Time by phase, mean of 24 h", list: "list keys", read: "read values", spool: "keep safe", map_and_write: "map and write", ofTime: "{ms} ms, {share} %",
    noPhases: "No run with measured phases in 24 h.",
    errors: "Gateway errors, 24 h", noErrors: "No key failed and none was put off in 24 h.",
    reason: "Reason", number: "Number", failedKeys: "could not be read", deferredKeys: "put off",
    failingKeys: "Keys that failed, last hour", noFailing: "No key failed in the last hour.", asset: "Asset", failedRuns: "Runs", why: "Why",
    noSlow: "How long a single key takes is not measured; keys too slow for the time limit fail as “timeout”.",
    gaps: "Gaps in 24 h", noGaps: "No readings are known to be missing.", from: "From", to: "To", cause: "Cause", missing: "Readings",
    plant: "whole plant", about: "about {n}", unknownNumber: "number not known",
    quarantine: "Quarantine", noQuarantine: "Nothing is in quarantine.", kept: "Kept", seen: "Times seen",
    openInbox: "Map tags and assets",
    spool_thinned: "buffer thinned", spool_dropped: "buffer full, dropped", spool_corrupt: "buffer damaged", spool_full: "buffer full",
    dead_letter_trimmed: "refused rows trimmed", gateway_down: "gateway away", key_failed: "key failed", tick_skipped: "run skipped",
    overwritten: "overwritten before it was read",
    runTitle: "Run {id}, {at}", close: "Close",
    balance: "What became of every key", holds: "adds up", differs: "DOES NOT ADD UP: {left} and {right}",
    noBalance: "This run was not counted key by key: it comes from an earlier version, or it failed before it had read.",
    keysGone: "Which keys these were is kept for 48 h only.", noKeys: "No key stands out.",
    unmatchedKeys: "Assets that are not in the register", unmappedKeys: "Tags without a parameter", ofAssets: "{tag}: {n} assets",
    more: "{n} more",
  },
  hi: {
    lastRun: "पिछला दौर {age} पहले; हर {every} में एक होना चाहिए।",
    overdue: "विलंबित: पिछला दौर {age} पहले था, हर {every} में एक होना चाहिए।",
    failedRun: "पिछला दौर विफल: {why}",
    noRuns: "अभी कोई दौर पूरा नहीं हुआ।",
    strip: "दौर, पिछले 24 घंटे", stripOf: "{n} दौर, {failed} विफल",
    duration: "सबसे लंबा", matched: "मिली कुंजियाँ", rows: "पंक्तियाँ", max: "अधिकतम {value}", whole: "100 % = पढ़ी गईं",
    part: "अवधि", pointed: "{at}: {runs} दौर, {failed} विफल · सबसे लंबा {ms} मि.से. · {keys} में से {matched} कुंजियाँ मिलीं · {rows} पंक्तियाँ",
    pointedNone: "{at}: कोई दौर नहीं", noneLegend: "कोई दौर नहीं", failLegend: "विफल दौर",
    failures: "विफल दौर, पिछले 24 घंटे", noFailures: "कोई दौर विफल नहीं।",
    runs: "दौर", began: "आरंभ", ms: "मि.से.", listing: "सूची", reading: "पठन", writing: "मिलान, लेखन",
    scanned: "कुंजियाँ", unmatched: "बेमेल", rowsWritten: "लिखी पंक्तियाँ", skipped: "छोड़े टैग", outcome: "परिणाम",
    good: "पूरा", open: "{at} का दौर", failed: "विफल: {why}",
    phasesLater: "चरणों का समय उन दौरों का ज्ञात है जो यह पृष्ठ खुलने के बाद पूरे हुए; खोले गए दौर में यह सदा होता है।",
    phases: "चरणों का समय, 24 घंटे का औसत", list: "कुंजियों की सूची", read: "मान पढ़ना", spool: "सुरक्षित रखना", map_and_write: "मिलान और लेखन", ofTime: "{ms} मि.से., {share} %",
    noPhases: "24 घंटे में मापे चरणों वाला कोई दौर नहीं।",
    errors: "गेटवे की त्रुटियाँ, 24 घंटे", noErrors: "24 घंटे में न कोई कुंजी विफल हुई, न टाली गई।",
    reason: "कारण", number: "संख्या", failedKeys: "पढ़ी नहीं जा सकीं", deferredKeys: "टाली गईं",
    failingKeys: "विफल कुंजियाँ, पिछला घंटा", noFailing: "पिछले घंटे में कोई कुंजी विफल नहीं हुई।", asset: "परिसंपत्ति", failedRuns: "दौर", why: "क्यों",
    noSlow: "एक कुंजी में लगा समय नहीं मापा जाता; समय-सीमा से धीमी कुंजियाँ “timeout” से विफल होती हैं।",
    gaps: "24 घंटे के अंतराल", noGaps: "कोई माप छूटा ज्ञात नहीं।", from: "से", to: "तक", cause: "कारण", missing: "माप",
    plant: "पूरा संयंत्र", about: "लगभग {n}", unknownNumber: "संख्या अज्ञात",
    quarantine: "अलग रखे गए", noQuarantine: "कुछ भी अलग नहीं रखा गया।", kept: "संख्या", seen: "कितनी बार",
    openInbox: "टैग और परिसंपत्तियाँ मिलाएँ",
    spool_thinned: "बफ़र छाँटा गया", spool_dropped: "बफ़र भरा, छोड़ा गया", spool_corrupt: "बफ़र क्षतिग्रस्त", spool_full: "बफ़र भरा",
    dead_letter_trimmed: "अस्वीकृत पंक्तियाँ हटाई गईं", gateway_down: "गेटवे अनुपलब्ध", key_failed: "कुंजी विफल", tick_skipped: "दौर छूटा",
    overwritten: "पढ़ने से पहले बदल गया",
    runTitle: "दौर {id}, {at}", close: "बंद करें",
    balance: "हर कुंजी का क्या हुआ", holds: "योग सही", differs: "योग सही नहीं: {left} और {right}",
    noBalance: "इस दौर में कुंजियाँ अलग-अलग नहीं गिनी गईं: यह पुराने संस्करण का है या पढ़ने से पहले विफल हुआ।",
    keysGone: "ये कौन-सी कुंजियाँ थीं, केवल 48 घंटे रखा जाता है।", noKeys: "कोई कुंजी अलग नहीं दिखी।",
    unmatchedKeys: "परिसंपत्तियाँ जो रजिस्टर में नहीं हैं", unmappedKeys: "बिना मापदंड के टैग", ofAssets: "{tag}: {n} परिसंपत्तियाँ",
    more: "{n} और",
  },
});

const CAUSES = [
  "spool_thinned", "spool_dropped", "spool_corrupt", "spool_full", "dead_letter_trimmed", "gateway_down", "key_failed",
  "tick_skipped", "overwritten",
] as const;
type Cause = (typeof CAUSES)[number];
const isCause = (word: string): word is Cause => (CAUSES as readonly string[]).includes(word);
/** Why readings are missing, in words. */
export const causeWords = (cause: string): string => (isCause(cause) ? t(cause) : cause);

const PHASES = ["list", "read", "spool", "map_and_write"] as const;
type Phase = (typeof PHASES)[number];
const isPhase = (word: string): word is Phase => (PHASES as readonly string[]).includes(word);
export const phaseWords = (phase: string): string => (isPhase(phase) ? t(phase) : phase);
