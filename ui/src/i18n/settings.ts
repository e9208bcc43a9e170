import { dictionary } from "./index.svelte";

export const t = dictionary({
  en: {
    kept: "These settings are kept in this browser.",
    language: "Language", english: "English", hindi: "हिन्दी", unreviewed: "The Hindi words have not been reviewed yet.",
    theme: "Theme", day: "Day", night: "Night", schedule: "Night from 19:00 to 06:00",
    scale: "Size of text", zone: "Times in", plant: "The plant's zone, {zone}", utc: "UTC",
    sound: "Sound at a new alarm", soundHint: "Silencing is not acknowledging.", test: "Play it",
    singleKeys: "Single letters are keys", singleKeysHint: "Press ? for the list. Ctrl+K always works.",
    kiosk: "Wall display", kioskHint: "Shows the overview without navigation and keeps the screen on.", kioskOpen: "Open the wall display",
    programs: "Programs", programsHint: "What the server answers to, for those who connect other systems.",
    account: "Password", who: "{name}, {role}, {scope}", all: "all domains",
    old: "Password now", next: "New password", change: "Change the password",
    changed: "The password is changed; your other logins have ended.", failed: "Not changed: {why}",
  },
  hi: {
    kept: "ये सेटिंग्स इसी ब्राउज़र में रखी जाती हैं।",
    language: "भाषा", english: "English", hindi: "हिन्दी", unreviewed: "हिन्दी शब्दों की समीक्षा अभी नहीं हुई है।",
    theme: "रूप", day: "दिन", night: "रात", schedule: "19:00 से 06:00 तक रात",
    scale: "अक्षरों का आकार", zone: "समय दिखाएँ", plant: "संयंत्र का क्षेत्र, {zone}", utc: "UTC",
    sound: "नए अलार्म पर ध्वनि", soundHint: "ध्वनि बंद करना स्वीकृति नहीं है।", test: "बजाएँ",
    singleKeys: "एकल अक्षर कुंजियाँ हैं", singleKeysHint: "सूची के लिए ? दबाएँ। Ctrl+K सदा काम करता है।",
    kiosk: "दीवार प्रदर्शन", kioskHint: "अवलोकन बिना नेविगेशन के, स्क्रीन चालू रहती है।", kioskOpen: "दीवार प्रदर्शन खोलें",
    programs: "प्रोग्राम", programsHint: "सर्वर किन अनुरोधों का उत्तर देता है, अन्य प्रणालियाँ जोड़ने वालों के लिए।",
    account: "पासवर्ड", who: "{name}, {role}, {scope}", all: "सभी क्षेत्र",
    old: "वर्तमान पासवर्ड", next: "नया पासवर्ड", change: "पासवर्ड बदलें",
    changed: "पासवर्ड बदल गया; आपके अन्य लॉगिन समाप्त हो गए।", failed: "नहीं बदला: {why}",
  },
});
