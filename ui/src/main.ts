import { mount } from "svelte";
import "./styles/tokens.css";
import "./styles/base.css";
import App from "./App.svelte";
import { token } from "./lib/api";
import { library } from "./lib/library.svelte";
import { live } from "./lib/live.svelte";
import { lives } from "./lib/lives.svelte";
import { node } from "./lib/node.svelte";

token.takeFromAddress();
live.start();
node.start();
library.start();
lives.start();

const target = document.getElementById("app");
if (target) mount(App, { target });
