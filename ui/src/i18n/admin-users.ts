import { dictionary } from "./index.svelte";

export const t = dictionary({
  en: {
    users: "Users", keys: "Keys of programs", username: "User name", fullName: "Full name", role: "Role", domains: "Domains", state: "State", lastLogin: "Last login",
    made: "Made", active: "Active", disabled: "Disabled {age} ago", mustChange: "must change the password", never: "never", allDomains: "all",
    viewer: "Viewer", operator: "Operator", engineer: "Engineer", admin: "Administrator",
    newUser: "New user", editTitle: "Change {name}", password: "First password", passwordHint: "At least 12 characters; it is to be changed at the first login.",
    domainsHint: "One a line; empty: all of them. Administrators see all.", disable: "Disabled: cannot log in", create: "Add the user",
    givePassword: "Give a password", newPassword: "New password", endLogins: "End all logins", endedLogins: "{n} logins ended.", loginsSure: "End all logins of {name}?",
    noUsers: "No user.", key: "Key", name: "Name", hint: "Begins with", expires: "Ends", used: "Last used", noKeys: "No key was made.", newKey: "New key", days: "Good for days",
    makeKey: "Make the key", keyOnce: "This is the key. It is shown now and never again: keep it where the program reads it.", copy: "Copy", copied: "Copied.",
    endKey: "End it", keySure: "End the key {name} at once?", revoked: "Ended {age} ago", good: "Good", over: "Ran out", neverUsed: "never",
  },
  hi: {
    users: "उपयोगकर्ता", keys: "प्रोग्रामों की कुंजियाँ", username: "उपयोगकर्ता नाम", fullName: "पूरा नाम", role: "भूमिका", domains: "क्षेत्र", state: "स्थिति", lastLogin: "पिछला लॉगिन",
    made: "बना", active: "सक्रिय", disabled: "{age} पहले बंद", mustChange: "पासवर्ड बदलना है", never: "कभी नहीं", allDomains: "सभी",
    viewer: "दर्शक", operator: "संचालक", engineer: "अभियंता", admin: "प्रशासक",
    newUser: "नया उपयोगकर्ता", editTitle: "{name} बदलें", password: "पहला पासवर्ड", passwordHint: "कम से कम 12 अक्षर; पहले लॉगिन पर बदलना होगा।",
    domainsHint: "हर पंक्ति में एक; खाली: सभी। प्रशासक सब देखते हैं।", disable: "बंद: लॉगिन नहीं कर सकता", create: "उपयोगकर्ता जोड़ें",
    givePassword: "पासवर्ड दें", newPassword: "नया पासवर्ड", endLogins: "सभी लॉगिन समाप्त करें", endedLogins: "{n} लॉगिन समाप्त।", loginsSure: "{name} के सभी लॉगिन समाप्त करें?",
    noUsers: "कोई उपयोगकर्ता नहीं।", key: "कुंजी", name: "नाम", hint: "आरंभ", expires: "समाप्ति", used: "पिछली बार", noKeys: "कोई कुंजी नहीं बनी।", newKey: "नई कुंजी", days: "कितने दिन मान्य",
    makeKey: "कुंजी बनाएँ", keyOnce: "यह कुंजी है। यह अभी दिखती है, फिर कभी नहीं: उसे वहाँ रखें जहाँ प्रोग्राम पढ़ता है।", copy: "कॉपी करें", copied: "कॉपी हुआ।",
    endKey: "समाप्त करें", keySure: "कुंजी {name} तुरंत समाप्त करें?", revoked: "{age} पहले समाप्त", good: "मान्य", over: "अवधि पूरी", neverUsed: "कभी नहीं",
  },
});
