import { dictionary } from "./index.svelte";

export const t = dictionary({
  en: {
    server: "This server", ready: "Ready", yes: "✓ yes", no: "✕ no", version: "Version", started: "Running for", plant: "Plant", simulated: "Simulated: every reading is made up", real: "Real",
    database: "Database", schema: "Schema", schemaWords: "migration {n}", postgres: "PostgreSQL", size: "Size", free: "Free on the disk", freeWords: "{free} of {total}",
    day: "A day takes", left: "Room for", days: "{n} days", leftUnknown: "– known after the first whole day", leftElsewhere: "– the disk is the database server's", roomUnknown: "– the schema is not up to date",
    roles: "Roles held", noRoles: "– none: it runs with the rights of its login", security: "Row security", on: "✓ on", off: "! off: the program alone keeps people to their domains",
    live: "Live clients and spool", numbered: "Browsers and streams", plain: "Older clients (/ws)", ofAllowed: "{n} of {most} allowed", slow: "Slow ones", dropped: "Frames dropped for them since the start", spool: "Spool filled",
    kept: "Kept", raw: "Telemetry and readings", rollups: "Five-minute values", audit: "Audit log",
    checks: "Checks of the doctor", check: "Check", state: "State", detail: "Found", fix: "What to do", pass: "✓ passed", warn: "! warning", fail: "✕ failed",
    checksHint: "Without the gateway, which every sweep reads: see Ingest. On the server, “ic3 doctor” asks it too.",
    partitions: "Partitions", table: "Table", count: "Number", oldest: "Oldest", newest: "Newest",
    partitionsHint: "Newest ones are made ahead, so that a new day finds its place.", none: "No partition yet.",
  },
  hi: {
    server: "यह सर्वर", ready: "तैयार", yes: "✓ हाँ", no: "✕ नहीं", version: "संस्करण", started: "कब से चालू", plant: "संयंत्र", simulated: "कृत्रिम: हर माप गढ़ा हुआ है", real: "वास्तविक",
    database: "डेटाबेस", schema: "स्कीमा", schemaWords: "माइग्रेशन {n}", postgres: "PostgreSQL", size: "आकार", free: "डिस्क पर खाली", freeWords: "{total} में से {free}",
    day: "एक दिन लेता है", left: "जगह बची", days: "{n} दिन", leftUnknown: "– पहले पूरे दिन के बाद ज्ञात", leftElsewhere: "– डिस्क डेटाबेस सर्वर की है", roomUnknown: "– स्कीमा अद्यतन नहीं है",
    roles: "उपलब्ध भूमिकाएँ", noRoles: "– कोई नहीं: अपने लॉगिन के अधिकारों से चलता है", security: "पंक्ति सुरक्षा", on: "✓ चालू", off: "! बंद: केवल प्रोग्राम लोगों को उनके क्षेत्र तक सीमित रखता है",
    live: "लाइव ग्राहक और स्पूल", numbered: "ब्राउज़र और स्ट्रीम", plain: "पुराने ग्राहक (/ws)", ofAllowed: "{most} में से {n}", slow: "धीमे", dropped: "उनके लिए शुरू से छोड़े फ़्रेम", spool: "स्पूल भरा",
    kept: "कब तक रखा जाता है", raw: "टेलीमेट्री और माप", rollups: "पाँच मिनट के मान", audit: "ऑडिट लॉग",
    checks: "डॉक्टर की जाँचें", check: "जाँच", state: "स्थिति", detail: "क्या मिला", fix: "क्या करें", pass: "✓ ठीक", warn: "! चेतावनी", fail: "✕ विफल",
    checksHint: "गेटवे के बिना, जिसे हर चक्र पढ़ता है: इनजेस्ट देखें। सर्वर पर “ic3 doctor” उससे भी पूछता है।",
    partitions: "विभाजन", table: "तालिका", count: "संख्या", oldest: "सबसे पुराना", newest: "सबसे नया",
    partitionsHint: "नए विभाजन पहले से बनते हैं, ताकि नए दिन को जगह मिले।", none: "अभी कोई विभाजन नहीं।",
  },
});
