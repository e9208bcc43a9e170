import { dictionary } from "./index.svelte";

export const t = dictionary({
  en: {
    title: "Log in", username: "User name", password: "Password", submit: "Log in",
    wrong: "Wrong user name or password.", away: "The server does not answer. Try again in a moment.",
    awayAgain: "The server does not answer. It is asked again every few seconds; your login goes on.",
    wait: "Too many failed logins. Try again in {s} s.", other: "The login failed: {why}",
  },
  hi: {
    title: "लॉग इन", username: "उपयोगकर्ता नाम", password: "पासवर्ड", submit: "लॉग इन करें",
    wrong: "उपयोगकर्ता नाम या पासवर्ड गलत है।", away: "सर्वर उत्तर नहीं दे रहा। थोड़ी देर में फिर प्रयास करें।",
    awayAgain: "सर्वर उत्तर नहीं दे रहा। हर कुछ सेकंड में फिर पूछा जाता है; आपका लॉगिन बना रहेगा।",
    wait: "बहुत से असफल प्रयास। {s} से बाद फिर प्रयास करें।", other: "लॉगिन असफल: {why}",
  },
});
