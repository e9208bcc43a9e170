import { dictionary } from "./index.svelte";

/** Texts that the pages of administration share. */
export const t = dictionary({
  en: {
    acts: "Actions", parts: "Parts of the page", save: "Save", cancel: "Cancel", close: "Close", edit: "Edit", add: "Add",
    search: "Search", done: "Done.", none: "–", all: "All", reason: "Why", change: "Change", nothing: "Nothing to show.",
    entered: "entered by {who}, {age} ago", meanwhile: "Somebody changed it meanwhile. Read it again, then change that.", readAgain: "Read it again",
    pleaseConfirm: "Give your password again", confirmHint: "This needs your password, given within the last five minutes.",
    password: "Your password", confirm: "Confirm", wrong: "Wrong password.",
  },
  hi: {
    acts: "क्रियाएँ", parts: "पृष्ठ के भाग", save: "सहेजें", cancel: "रद्द करें", close: "बंद करें", edit: "बदलें", add: "जोड़ें",
    search: "खोजें", done: "हो गया।", none: "–", all: "सभी", reason: "क्यों", change: "बदलाव", nothing: "दिखाने को कुछ नहीं।",
    entered: "{who} ने {age} पहले दर्ज किया", meanwhile: "इस बीच किसी और ने इसे बदला। फिर पढ़ें, फिर बदलें।", readAgain: "फिर पढ़ें",
    pleaseConfirm: "अपना पासवर्ड फिर दें", confirmHint: "इसके लिए पिछले पाँच मिनट में दिया गया आपका पासवर्ड चाहिए।",
    password: "आपका पासवर्ड", confirm: "पुष्टि करें", wrong: "गलत पासवर्ड।",
  },
});
