import { dictionary } from "./index.svelte";

/** Texts of a row of alarms, wherever it stands. */
export const t = dictionary({
  en: {
    priority: "Priority", since: "Since", condition: "Condition", state: "State", unacknowledged: "unacknowledged",
    acknowledged: "acknowledged", returned: "returned", cleared: "cleared", heldShelved: "shelved", heldSuppressed: "suppressed",
    heldOut: "out of service", byAt: "{who}, {age} ago", returnedAgo: "returned {age} ago", clearedAgo: "cleared {age} ago",
    flaps: "became active again {n} ×", limit: "Limit", system: "system", what_new: "called", what_ack: "acknowledged",
    what_return: "returned", what_clear: "cleared", what_shelve: "held back", what_unshelve: "calls again", what_comment: "commented",
  },
  hi: {
    priority: "प्राथमिकता", since: "कब से", condition: "स्थिति", state: "दशा", unacknowledged: "स्वीकृति बाकी", acknowledged: "स्वीकृत",
    returned: "सामान्य हुआ", cleared: "समाप्त", heldShelved: "स्थगित", heldSuppressed: "दबाया गया", heldOut: "सेवा से बाहर",
    byAt: "{who}, {age} पहले", returnedAgo: "{age} पहले सामान्य हुआ", clearedAgo: "{age} पहले समाप्त", flaps: "{n} × फिर सक्रिय हुआ",
    limit: "सीमा", system: "तंत्र", what_new: "बुलाया", what_ack: "स्वीकृत", what_return: "सामान्य हुआ", what_clear: "समाप्त",
    what_shelve: "रोका गया", what_unshelve: "फिर बुलाता है", what_comment: "टिप्पणी",
  },
});
