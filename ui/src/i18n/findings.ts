import { dictionary } from "./index.svelte";

export const t = dictionary({
  en: {
    title: "Findings", none: "No open finding.", noneAll: "No finding so far.", all: "Closed ones too", onlyOpen: "Only open ones",
    severity: "severity {n} of 10", confidence: "{n} % likely true", since: "since {at}", seen: "last seen {age} ago",
    open: "open", acknowledged: "acknowledged", in_work: "in work", closed: "closed", dismissed: "dismissed",
    isTrue: "True", isFalse: "False alarm", isUnsure: "Unsure", ofFinding: "{act}: {sentence}",
    true_alarm: "judged true", false_alarm: "judged false", unsure: "judged unsure", by: "by {name}, {at}",
    acknowledge: "Acknowledge", order: "Draft a work order", toOrder: "Work order {id}",
    said: "Noted: {what}.", failed: "Not done: {why}", lost: "The connection is lost: nothing can be judged.",
    evidence: "Evidence", noEvidence: "No evidence is kept with it.",
    kpi: "How good the findings are, 90 days", active: "Active", rate: "Judged false", rateOf: "{n} % of {of} judged, {low}–{high} %",
    noRate: "none judged yet", detect: "Mean time to detect", mttr: "Mean time to repair", days: "{n} d", ofCount: "of {n}",
  },
  hi: {
    title: "निष्कर्ष", none: "कोई खुला निष्कर्ष नहीं।", noneAll: "अब तक कोई निष्कर्ष नहीं।", all: "बंद भी", onlyOpen: "केवल खुले",
    severity: "गंभीरता 10 में {n}", confidence: "{n} % सही होने की संभावना", since: "{at} से", seen: "{age} पहले अंतिम बार देखा",
    open: "खुला", acknowledged: "स्वीकृत", in_work: "कार्य जारी", closed: "बंद", dismissed: "खारिज",
    isTrue: "सही", isFalse: "झूठा अलार्म", isUnsure: "अनिश्चित", ofFinding: "{act}: {sentence}",
    true_alarm: "सही माना गया", false_alarm: "झूठा माना गया", unsure: "अनिश्चित माना गया", by: "{name} द्वारा, {at}",
    acknowledge: "स्वीकार करें", order: "कार्य आदेश का मसौदा", toOrder: "कार्य आदेश {id}",
    said: "दर्ज हुआ: {what}।", failed: "नहीं हुआ: {why}", lost: "संपर्क टूटा है: निर्णय नहीं दिया जा सकता।",
    evidence: "साक्ष्य", noEvidence: "इसके साथ कोई साक्ष्य नहीं रखा गया।",
    kpi: "निष्कर्ष कितने सही, 90 दिन", active: "सक्रिय", rate: "झूठे माने गए", rateOf: "{of} में से {n} %, {low}–{high} %",
    noRate: "अभी किसी पर निर्णय नहीं", detect: "पता चलने का औसत समय", mttr: "मरम्मत का औसत समय", days: "{n} दिन", ofCount: "{n} में से",
  },
});
