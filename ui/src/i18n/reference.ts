import { dictionary } from "./index.svelte";

export const t = dictionary({
  en: {
    intro: "For programs: what the server answers to, made from its own OpenAPI document. Names, types and words of the API are English.",
    document: "OpenAPI document", search: "Search", searchHint: "Part of a path or of what it does", found: "{n} of {total} operations",
    nothing: "No operation is like that.", conventions: "What holds for all", role: "Least role", parameters: "Parameters", body: "Body", answers: "Answers",
    name: "Name", place: "Where", type: "Type", limits: "Limits", meaning: "Meaning", required: "required", status: "Status", refusals: "Refused", schemas: "Bodies by name", operations: "Operations",
    none: "no fields: {type}",
  },
  hi: {
    intro: "प्रोग्रामों के लिए: सर्वर किन अनुरोधों का उत्तर देता है, उसके अपने OpenAPI दस्तावेज़ से। API के नाम, प्रकार और शब्द अंग्रेज़ी में हैं।",
    document: "OpenAPI दस्तावेज़", search: "खोजें", searchHint: "पथ या काम का कोई अंश", found: "{total} में से {n} क्रियाएँ",
    nothing: "ऐसी कोई क्रिया नहीं।", conventions: "सब पर लागू", role: "न्यूनतम भूमिका", parameters: "पैरामीटर", body: "बॉडी", answers: "उत्तर",
    name: "नाम", place: "कहाँ", type: "प्रकार", limits: "सीमाएँ", meaning: "अर्थ", required: "आवश्यक", status: "स्थिति", refusals: "अस्वीकृत", schemas: "नाम से बॉडी", operations: "क्रियाएँ",
    none: "कोई फ़ील्ड नहीं: {type}",
  },
});
