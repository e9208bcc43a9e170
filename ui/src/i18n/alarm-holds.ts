import { dictionary } from "./index.svelte";

/** Texts of what holds alarms back. */
export const t = dictionary({
  en: {
    holds: "Maintenance windows and other holds", holdsEmpty: "No hold stands.", what: "What", endHold: "End it",
    open: "until it is ended", window_new: "New maintenance window",
    windowHint: "What fits every field that is filled in calls nobody meanwhile.", windowSource: "Asset", windowCondition: "Condition",
    windowDomain: "Domain", windowDma: "DMA", windowHours: "Hours from now",
  },
  hi: {
    holds: "रखरखाव अवधि और अन्य रोक", holdsEmpty: "कोई रोक नहीं।", what: "क्या", endHold: "समाप्त करें",
    open: "जब तक समाप्त न करें", window_new: "नई रखरखाव अवधि", windowHint: "जो हर भरे हुए खाने से मेल खाता है, वह तब तक किसी को नहीं बुलाता।",
    windowSource: "परिसंपत्ति", windowCondition: "स्थिति", windowDomain: "क्षेत्र", windowDma: "DMA", windowHours: "अब से घंटे",
  },
});
