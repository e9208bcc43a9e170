import { dictionary } from "./index.svelte";

/** Texts of a pump's plate; fields have the names of the API. */
export const t = dictionary({
  en: {
    title: "Plate of pump and motor", dialog: "Plate of {serial}", enter: "Enter the plate", change: "Change", hint: "What the maker says. Leave empty what is not known: nothing is guessed for it.",
    nothing: "Nothing is entered. Without it the limits are those of the standards, and what needs the plate is not judged.",
    unknown: "Not entered: {names}.", by: "entered by {who}, {age} ago", speed: "Speed", fixed: "always nominal",
    best_flow_m3_h: "Best flow (Q of best efficiency)", nominal_rpm: "Nominal speed", rated_kw: "Rated power of the motor", rated_current_a: "Rated current",
    rated_voltage_v: "Rated voltage", npsh_required_m: "NPSH required", starts_per_hour: "Starts per hour allowed", overhaul_h: "Run hours between overhauls",
    least_kw: "Least power with water", power_factor: "Power factor", suction_mm: "Bore at suction gauge", discharge_mm: "Bore at discharge gauge",
    gauge_rise_m: "Discharge gauge above suction gauge", specific_gravity: "Specific gravity", atmosphere_bar: "Atmosphere", vapour_bar: "Vapour pressure",
    fixed_speed: "It always turns at nominal speed and reports none", insulation_class: "Insulation class", vibration_class: "Vibration class",
    overhauled_at: "Last overhaul", overhaulHint: "After an overhaul its reference curve is learned anew.", more: "Gauges and water",
    meanwhile: "Somebody changed it meanwhile.", readAgain: "Read it again", save: "Save", cancel: "Cancel",
  },
  hi: {
    title: "पंप और मोटर की प्लेट", dialog: "{serial} की प्लेट", enter: "प्लेट दर्ज करें", change: "बदलें", hint: "जो निर्माता कहता है। जो ज्ञात नहीं, खाली छोड़ें: कुछ अनुमान नहीं लगाया जाता।",
    nothing: "कुछ दर्ज नहीं है। इसके बिना सीमाएँ मानकों की हैं, और जिसे प्लेट चाहिए उसकी जाँच नहीं होती।",
    unknown: "दर्ज नहीं: {names}।", by: "{who} ने {age} पहले दर्ज किया", speed: "गति", fixed: "सदा नाममात्र",
    best_flow_m3_h: "श्रेष्ठ प्रवाह (श्रेष्ठ दक्षता का Q)", nominal_rpm: "नाममात्र गति", rated_kw: "मोटर की नाममात्र शक्ति", rated_current_a: "नाममात्र धारा",
    rated_voltage_v: "नाममात्र वोल्टेज", npsh_required_m: "आवश्यक NPSH", starts_per_hour: "प्रति घंटा अनुमत आरंभ", overhaul_h: "ओवरहॉल के बीच चलने के घंटे",
    least_kw: "पानी के साथ न्यूनतम शक्ति", power_factor: "शक्ति गुणांक", suction_mm: "चूषण गेज पर व्यास", discharge_mm: "निर्गम गेज पर व्यास",
    gauge_rise_m: "निर्गम गेज, चूषण गेज से ऊपर", specific_gravity: "विशिष्ट घनत्व", atmosphere_bar: "वायुदाब", vapour_bar: "वाष्प दाब",
    fixed_speed: "यह सदा नाममात्र गति से चलता है और गति नहीं बताता", insulation_class: "इन्सुलेशन वर्ग", vibration_class: "कंपन वर्ग",
    overhauled_at: "अंतिम ओवरहॉल", overhaulHint: "ओवरहॉल के बाद संदर्भ वक्र नए सिरे से सीखा जाता है।", more: "गेज और पानी",
    meanwhile: "इस बीच किसी और ने इसे बदला।", readAgain: "फिर पढ़ें", save: "सहेजें", cancel: "रद्द करें",
  },
});
