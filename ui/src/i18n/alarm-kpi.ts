import { dictionary } from "./index.svelte";

/** Texts of the figures of alarm management. */
export const t = dictionary({
  en: {
    rate: "Calls per 10 min", rateMean: "mean", rateMax: "most", target: "target", aim: "Target", targetSteady: "at most 1",
    targetFlood: "at most 10", floods: "Floods", floodsOf: "{n} of {all} slots", calls: "Calls", perHour: "Per operator and hour",
    mix: "Priority mix", share: "Share", targetMix: "about {p} %", worst: "Ten worst", chattering: "Chattering",
    chatterHint: "Called three times within a minute.", standing: "Standing over 24 h", standingOf: "{n} of {all} open",
    ackTime: "Time to acknowledge", median: "median", p90: "nine of ten within", ackNever: "{n} of {all} never",
    span: "Figures of {from} to {until}", noneWorst: "None.", kpiCaption: "Conditions that called most",
  },
  hi: {
    rate: "10 मिनट में बुलावे", rateMean: "औसत", rateMax: "अधिकतम", target: "लक्ष्य", aim: "लक्ष्य", targetSteady: "अधिकतम 1",
    targetFlood: "अधिकतम 10", floods: "बाढ़", floodsOf: "{all} में से {n} खंड", calls: "बुलावे", perHour: "प्रति ऑपरेटर प्रति घंटा",
    mix: "प्राथमिकता मिश्रण", share: "हिस्सा", targetMix: "लगभग {p} %", worst: "सबसे अधिक दस", chattering: "बार-बार बजने वाले",
    chatterHint: "एक मिनट में तीन बार बुलाया।", standing: "24 घंटे से अधिक सक्रिय", standingOf: "{all} खुले में से {n}",
    ackTime: "स्वीकृति का समय", median: "माध्यिका", p90: "दस में नौ इतने में", ackNever: "{all} में से {n} कभी नहीं",
    span: "{from} से {until} तक के आँकड़े", noneWorst: "कोई नहीं।", kpiCaption: "सबसे अधिक बुलाने वाली स्थितियाँ",
  },
});
