import { dictionary } from "./index.svelte";

/** Texts of the overview. */
export const t = dictionary({
  en: {
    assets: "assets", neverSeen: "{n} never seen", unacknowledged: "unacknowledged",
    ofPriority: "{n} of priority {priority} {word}", inAlarm: "assets in alarm", stale: "stale", bad: "bad quality",
    matched: "keys matched", matchedOf: "{n} of {all}", staleWord: "STALE", noRun: "no run yet",
    runFailed: "last run failed", notEvaluated: "not evaluated yet", alarms: "Alarms", priority: "Pri",
    since: "Since", asset: "Asset", condition: "Condition", act: "State", waiting: "{n} unacknowledged",
    acknowledge: "Acknowledge", acknowledgeOf: "Acknowledge: {source}, {text}", acknowledged: "acknowledged",
    returned: "returned", more: "{n} more", all: "All alarms",
    noAlarms: "No active alarms. Last evaluated {age} ago.",
    unknownAlarms: "Unknown: alarms were last evaluated {age} ago.",
    unknownAlarmsNever: "Unknown: alarms have not been evaluated yet.",
    disabled: "The connection is lost: nothing can be acknowledged.", ackFailed: "Not acknowledged: {why}",
    keyAcknowledge: "Acknowledge the alarm of the row", choose: "Choose an asset on the map, or find one with /.",
    ingest: "Ingest, last {n} runs", steps: "First steps",
  },
  hi: {
    assets: "परिसंपत्तियाँ", neverSeen: "{n} कभी नहीं देखीं", unacknowledged: "स्वीकृति बाकी",
    ofPriority: "प्राथमिकता {priority} {word} के {n}", inAlarm: "अलार्म में परिसंपत्तियाँ", stale: "पुराने",
    bad: "खराब गुणवत्ता", matched: "मिली कुंजियाँ", matchedOf: "{all} में से {n}", staleWord: "पुराना",
    noRun: "अभी कोई दौर नहीं", runFailed: "पिछला दौर विफल", notEvaluated: "अभी जाँचा नहीं", alarms: "अलार्म",
    priority: "प्रा.", since: "कब से", asset: "परिसंपत्ति", condition: "दशा", act: "स्थिति", waiting: "{n} की स्वीकृति बाकी",
    acknowledge: "स्वीकारें", acknowledgeOf: "स्वीकारें: {source}, {text}", acknowledged: "स्वीकृत",
    returned: "सामान्य हुआ", more: "{n} और", all: "सभी अलार्म",
    noAlarms: "कोई सक्रिय अलार्म नहीं। {age} पहले जाँचा गया।",
    unknownAlarms: "अज्ञात: अलार्म {age} पहले जाँचे गए थे।", unknownAlarmsNever: "अज्ञात: अलार्म अभी जाँचे नहीं गए।",
    disabled: "संपर्क टूटा है: कुछ स्वीकारा नहीं जा सकता।", ackFailed: "स्वीकारा नहीं गया: {why}",
    keyAcknowledge: "पंक्ति का अलार्म स्वीकारें", choose: "मानचित्र पर परिसंपत्ति चुनें, या / से खोजें।",
    ingest: "डेटा प्रवाह, पिछले {n} दौर", steps: "पहले कदम",
  },
});
