import { dictionary } from "./index.svelte";

/** Texts of the panel of an asset. */
export const t = dictionary({
  en: {
    stale: "stale", staleWord: "STALE", more: "{n} more", kindUnknown: "kind not known", noDma: "no DMA",
    quality: "quality {quality}, {age} ago", lastQuality: "last known quality {quality}, {age} ago",
    neverData: "No reading has ever arrived for this asset.", noTags: "No tag of this asset is mapped.",
    closePanel: "Close", newOrder: "New work order", moreTags: "{n} more tags", trend: "{name}, last 24 h",
    noTrend: "No readings in the last 24 h.", textTrend: "{name} is text: it has no trend.",
    showTrend: "Show the trend of {name}", orders: "Open work orders", noOrders: "None open.", due: "due {at}",
    overdue: "overdue", lastAlarms: "Last alarms", noLastAlarms: "None so far.",
    notAvailable: "{what} is not available from this server.",
  },
  hi: {
    stale: "पुराने", staleWord: "पुराना", more: "{n} और", kindUnknown: "प्रकार ज्ञात नहीं", noDma: "कोई DMA नहीं",
    quality: "गुणवत्ता {quality}, {age} पहले", lastQuality: "अंतिम ज्ञात गुणवत्ता {quality}, {age} पहले",
    neverData: "इस परिसंपत्ति का कभी कोई माप नहीं आया।", noTags: "इस परिसंपत्ति का कोई टैग जुड़ा नहीं है।",
    closePanel: "बंद करें", newOrder: "नया कार्य आदेश", moreTags: "{n} और टैग", trend: "{name}, पिछले 24 घंटे",
    noTrend: "पिछले 24 घंटे में कोई माप नहीं।", textTrend: "{name} पाठ है: इसकी प्रवृत्ति नहीं होती।",
    showTrend: "{name} की प्रवृत्ति दिखाएँ", orders: "खुले कार्य आदेश", noOrders: "कोई खुला नहीं।", due: "{at} तक",
    overdue: "समय बीता", lastAlarms: "पिछले अलार्म", noLastAlarms: "अब तक कोई नहीं।",
    notAvailable: "{what} इस सर्वर पर उपलब्ध नहीं है।",
  },
});
