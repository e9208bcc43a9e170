import { dictionary } from "./index.svelte";

export const t = dictionary({
  en: {
    caption: "Assets with their state", state: "State", asset: "Asset", kind: "Kind", domain: "Domain", dma: "DMA",
    received: "Last data", quality: "Quality", alarm: "Alarm", search: "Serial number or name",
    count: "{n} assets", none: "No asset fits these filters.", noneAtAll: "The register is empty and nothing has arrived yet.",
    pinned: "Pinned", returned: "returned", bad: "Bad quality only",
    waiting: "Unacknowledged only", clear: "Clear the filters", unknownQuality: "not said", unregistered: "not in the register",
    lastKnown: "last known",
  },
  hi: {
    caption: "परिसंपत्तियाँ और उनकी दशा", state: "दशा", asset: "परिसंपत्ति", kind: "प्रकार", domain: "क्षेत्र", dma: "DMA",
    received: "अंतिम डेटा", quality: "गुणवत्ता", alarm: "अलार्म", search: "क्रम संख्या या नाम",
    count: "{n} परिसंपत्तियाँ", none: "इन फ़िल्टरों में कोई परिसंपत्ति नहीं।", noneAtAll: "रजिस्टर खाली है और अभी कुछ नहीं आया है।",
    pinned: "पिन किए", returned: "सामान्य हुआ", bad: "केवल ख़राब गुणवत्ता",
    waiting: "केवल जिनकी स्वीकृति बाकी है", clear: "फ़िल्टर हटाएँ", unknownQuality: "नहीं बताया", unregistered: "रजिस्टर में नहीं",
    lastKnown: "अंतिम ज्ञात",
  },
});
