import { dictionary } from "./index.svelte";

/** Texts of the map itself. */
export const t = dictionary({
  en: {
    words: "Network map: {shown} assets shown, {alarms} in alarm, {stale} not fresh. Arrow keys move it, plus and minus zoom, 0 shows all. The table holds the same.",
    zoomIn: "Nearer", zoomOut: "Farther", fit: "Show all", here: "{n} assets here", hereMore: "and {n} more",
    nothingHere: "No asset has a place on the map.", notOnMap: "Not on the map ({n})",
    notOnMapTitle: "Assets that are not on the map",
    notOnMapHint: "They are known, but cannot be drawn: the register has no place for them, or one that cannot be true.",
    notOnMapMore: "{n} more are not listed.", notRegistered: "not in the register", noPlace: "no coordinates",
    asset: "Asset", reason: "Reason", legend: "Legend", normal: "Normal", bad: "Bad quality",
    stale: "Stale, vanished or clock wrong", never: "Never seen", acknowledged: "Acknowledged",
    staleAlarm: "Stale alarm", area: "DMA", pipe: "Pipe", together: "×3 assets on one spot", noClass: "No value",
    from: "from {low}", below: "below {high}", between: "{low} to {high}", map: "Map",
    frozen: "STALE: the map stands as it was {age} ago.",
  },
  hi: {
    words: "नेटवर्क मानचित्र: {shown} परिसंपत्तियाँ, {alarms} अलार्म में, {stale} ताज़ा नहीं। तीर कुंजियाँ सरकाती हैं, धन और ऋण आकार बदलते हैं, 0 सब दिखाता है। तालिका में यही सब है।",
    zoomIn: "पास", zoomOut: "दूर", fit: "सब दिखाएँ", here: "यहाँ {n} परिसंपत्तियाँ", hereMore: "और {n}",
    nothingHere: "किसी परिसंपत्ति का मानचित्र पर स्थान नहीं है।", notOnMap: "मानचित्र पर नहीं ({n})",
    notOnMapTitle: "परिसंपत्तियाँ जो मानचित्र पर नहीं हैं",
    notOnMapHint: "ये ज्ञात हैं पर दिखाई नहीं जा सकतीं: रजिस्टर में इनका स्थान नहीं है, या वह सच नहीं हो सकता।",
    notOnMapMore: "{n} और सूची में नहीं हैं।", notRegistered: "रजिस्टर में नहीं", noPlace: "निर्देशांक नहीं",
    asset: "परिसंपत्ति", reason: "कारण", legend: "संकेत सूची", normal: "सामान्य", bad: "खराब गुणवत्ता",
    stale: "पुराना, लुप्त या घड़ी गलत", never: "कभी नहीं देखा", acknowledged: "स्वीकृत", staleAlarm: "पुराना अलार्म",
    area: "DMA", pipe: "पाइप", together: "×3 एक स्थान पर परिसंपत्तियाँ", noClass: "कोई मान नहीं", from: "{low} से",
    below: "{high} से कम", between: "{low} से {high}", map: "मानचित्र",
    frozen: "पुराना: मानचित्र {age} पहले जैसा था वैसा है।",
  },
});
