import { dictionary } from "./index.svelte";

export const t = dictionary({
  en: {
    acts: "Acts, newest first", who: "Who", what: "What", object: "Of what", from: "From, {zone}", until: "Until, {zone}", clear: "Clear", at: "When", role: "Role", whence: "From where",
    change: "Before and after", none: "No act fits.", show: "Show", hide: "Hide", before: "Before", after: "After", hash: "Place {n} of the chain, hash {hash}",
    verify: "Check the chain", whole: "The chain is whole: {rows} rows, checked {age} ago. Newest hash: {hash}", broken: "✕ The chain is broken at row {at} of {rows}: it was altered, or a row is missing. Checked {age} ago.",
    verifyHint: "Keep the newest hash elsewhere: whoever can alter the whole log cannot alter that.",
  },
  hi: {
    acts: "कार्य, नवीनतम पहले", who: "कौन", what: "क्या", object: "किसका", from: "कब से, {zone}", until: "कब तक, {zone}", clear: "हटाएँ", at: "कब", role: "भूमिका", whence: "कहाँ से",
    change: "पहले और बाद", none: "कोई कार्य नहीं मिला।", show: "दिखाएँ", hide: "छिपाएँ", before: "पहले", after: "बाद", hash: "श्रृंखला में स्थान {n}, हैश {hash}",
    verify: "श्रृंखला जाँचें", whole: "श्रृंखला पूरी है: {rows} पंक्तियाँ, {age} पहले जाँची। नवीनतम हैश: {hash}", broken: "✕ श्रृंखला {rows} में से पंक्ति {at} पर टूटी है: बदली गई, या कोई पंक्ति नहीं है। {age} पहले जाँची।",
    verifyHint: "नवीनतम हैश कहीं और रखें: जो पूरा लॉग बदल सके वह उसे नहीं बदल सकता।",
  },
});
