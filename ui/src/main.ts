import "./tokens.css";
import "./fonts.css";
import "./base.css";
import "./print.css";
import { mount } from "svelte";
import App from "./App.svelte";
import { session } from "./api/session.svelte";
import { startClock } from "./clock.svelte";
import { startKeys } from "./keys.svelte";
import { startRouter } from "./router.svelte";

startClock();
startRouter();
startKeys();
mount(App, { target: document.getElementById("app")! });
void session.resume();
