import { dictionary } from "./index.svelte";

/** Texts of the dialog that makes a work order. */
export const t = dictionary({
  en: {
    title: "New work order", of: "Of", fromAlarm: "From alarm {n}", alarmHolds: "Its row and readings are kept with the order as evidence.",
    what: "What is to be done", asset: "Asset (serial number)", assetHint: "Empty where it is about no asset.", priority: "Priority", asAlarm: "As the alarm has it",
    description: "Description", more: "Who, when due, checklist", moreOperator: "When due, checklist", assignee: "Assignee", nobody: "Nobody yet",
    assigneesAway: "Who may be assigned is not available from this server.", team: "Team (free text)", due: "Due, {zone}", dueEmpty: "Empty: by its priority.",
    failed: "Failed since, {zone}", failedHint: "Empty: now.", checklist: "Checklist, a line each", draft: "Only a draft",
    draftHint: "It begins as a draft; an engineer opens it.", make: "Make the work order", cancel: "Cancel",
    made: "Work order {id} is made.", isDraft: "It is a draft until an engineer opens it.", open: "Open work order {id}", close: "Close",
  },
  hi: {
    title: "नया कार्य आदेश", of: "किसका", fromAlarm: "अलार्म {n} से", alarmHolds: "उसकी पंक्ति और माप आदेश के साथ साक्ष्य के रूप में रखे जाते हैं।",
    what: "क्या करना है", asset: "परिसंपत्ति (क्रम संख्या)", assetHint: "खाली, यदि किसी परिसंपत्ति से संबंधित नहीं।", priority: "प्राथमिकता", asAlarm: "जैसी अलार्म की है",
    description: "विवरण", more: "कौन, कब तक, जाँच सूची", moreOperator: "कब तक, जाँच सूची", assignee: "किसे सौंपा", nobody: "अभी कोई नहीं",
    assigneesAway: "किसे सौंपा जा सकता है, यह सर्वर नहीं बताता।", team: "दल (मुक्त पाठ)", due: "देय, {zone}", dueEmpty: "खाली: प्राथमिकता के अनुसार।",
    failed: "खराब कब से, {zone}", failedHint: "खाली: अभी।", checklist: "जाँच सूची, हर पंक्ति एक काम", draft: "केवल मसौदा",
    draftHint: "यह मसौदे के रूप में शुरू होगा; अभियंता इसे खोलेगा।", make: "कार्य आदेश बनाएँ", cancel: "रद्द करें",
    made: "कार्य आदेश {id} बना।", isDraft: "अभियंता के खोलने तक यह मसौदा है।", open: "कार्य आदेश {id} खोलें", close: "बंद करें",
  },
});
