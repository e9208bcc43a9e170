import { dictionary } from "./index.svelte";

/** Texts of maintenance plans. */
export const t = dictionary({
  en: {
    title: "Maintenance plans", new: "New plan", one: "Maintenance plan {n}", ended: "Ended ones too",
    number: "No.", pri: "Pri", work: "Work", asset: "Asset", rhythm: "When", next: "Next due", hours: "Ran", who: "Who", acts: "Actions", change: "Change",
    none: "No plan makes orders.", inactive: "ended", notKnown: "not known yet", makesNone: "it makes none", byCalendar: "by the calendar",
    measured: "{n} h measured", notCounted: "not counted yet",
    each_day: "every day", each_week: "every week", each_month: "every month", every_day: "every {n} days", every_week: "every {n} weeks", every_month: "every {n} months",
    everyHours: "every {n} h run, by {tag}", calendar: "By the calendar", run_hours: "By the hours it ran", every: "Every", unit: "Unit", day: "days", week: "weeks", month: "months",
    tag: "Tag of running", tagHint: "The tag that is 1 while it runs. Hours without a reading count as standing.", tagFirst: "Its tags are offered once the asset is named.",
    first: "First due, {zone}", countsFrom: "Counted from, {zone}", what: "What is to be done", serial: "Asset (serial number)", domain: "Domain, where it is about no asset",
    stays: "This stays: for another rhythm end the plan and make a new one.", priority: "Priority", lead: "Its order is made so many days before", team: "Team (free text)",
    description: "Description", checklist: "Checklist, a line each", activeHint: "It makes orders", meanwhile: "Somebody changed it meanwhile.", readAgain: "Read it again",
    save: "Save", make: "Make the plan", cancel: "Cancel",
  },
  hi: {
    title: "रखरखाव योजनाएँ", new: "नई योजना", one: "रखरखाव योजना {n}", ended: "समाप्त भी",
    number: "सं.", pri: "प्रा.", work: "काम", asset: "परिसंपत्ति", rhythm: "कब", next: "अगली बार", hours: "चला", who: "कौन", acts: "क्रियाएँ", change: "बदलें",
    none: "कोई योजना आदेश नहीं बनाती।", inactive: "समाप्त", notKnown: "अभी ज्ञात नहीं", makesNone: "यह कोई नहीं बनाती", byCalendar: "पंचांग से",
    measured: "{n} घं मापे", notCounted: "अभी गिना नहीं",
    each_day: "हर दिन", each_week: "हर सप्ताह", each_month: "हर महीने", every_day: "हर {n} दिन", every_week: "हर {n} सप्ताह", every_month: "हर {n} महीने",
    everyHours: "हर {n} घं चलने पर, {tag} से", calendar: "पंचांग से", run_hours: "चलने के घंटों से", every: "हर", unit: "इकाई", day: "दिन", week: "सप्ताह", month: "महीने",
    tag: "चलने का टैग", tagHint: "वह टैग जो चलते समय 1 होता है। बिना माप के घंटे रुके हुए गिने जाते हैं।", tagFirst: "परिसंपत्ति का नाम देने पर उसके टैग दिखेंगे।",
    first: "पहली बार, {zone}", countsFrom: "कब से गिनें, {zone}", what: "क्या करना है", serial: "परिसंपत्ति (क्रम संख्या)", domain: "क्षेत्र, यदि किसी परिसंपत्ति से संबंधित नहीं",
    stays: "यह ऐसा ही रहेगा: दूसरी लय के लिए योजना समाप्त करके नई बनाएँ।", priority: "प्राथमिकता", lead: "आदेश इतने दिन पहले बने", team: "दल (मुक्त पाठ)",
    description: "विवरण", checklist: "जाँच सूची, हर पंक्ति एक काम", activeHint: "यह आदेश बनाती है", meanwhile: "इस बीच किसी और ने इसे बदला।", readAgain: "फिर पढ़ें",
    save: "सहेजें", make: "योजना बनाएँ", cancel: "रद्द करें",
  },
});
