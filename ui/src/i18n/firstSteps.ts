import { dictionary } from "./index.svelte";

/** Texts of the check list of a new installation. */
export const t = dictionary({
  en: {
    steps: "First steps", stepsHint: "This plant is not set up yet. What is missing:",
    stepGateway: "Gateway reachable", stepAssets: "Assets heard", stepRegister: "Register filled",
    stepTags: "Tags mapped", done: "done", missing: "missing", gatewayGood: "{gateway} answered {age} ago",
    gatewayBad: "{gateway} has not answered yet", assetsGood: "{n} assets", assetsBad: "nothing heard yet",
    registerGood: "{n} assets of the register are heard", registerBad: "no asset of the feed is in the register",
    tagsGood: "{n} rows in the last run", tagsBad: "no reading has been mapped yet", retry: "Look at it",
  },
  hi: {
    steps: "पहले कदम", stepsHint: "यह संयंत्र अभी तैयार नहीं है। क्या बाकी है:", stepGateway: "गेटवे पहुँच में",
    stepAssets: "परिसंपत्तियाँ सुनी गईं", stepRegister: "रजिस्टर भरा", stepTags: "टैग जुड़े", done: "पूर्ण",
    missing: "बाकी", gatewayGood: "{gateway} ने {age} पहले उत्तर दिया",
    gatewayBad: "{gateway} ने अभी उत्तर नहीं दिया", assetsGood: "{n} परिसंपत्तियाँ", assetsBad: "अभी कुछ नहीं सुना",
    registerGood: "रजिस्टर की {n} परिसंपत्तियाँ सुनी गईं", registerBad: "प्रवाह की कोई परिसंपत्ति रजिस्टर में नहीं",
    tagsGood: "पिछले दौर में {n} पंक्तियाँ", tagsBad: "अभी कोई माप जुड़ा नहीं", retry: "देखें",
  },
});
