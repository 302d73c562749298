// The round picture of somebody: a colour and the end of the name.

import { el } from "./dom.js";
import { isBot } from "./store.js";

const COLOURS = 8;

export function face(id, name, kind = "") {
  let hash = 0;
  for (const letter of id) hash = (hash * 31 + letter.codePointAt(0)) >>> 0;
  const letters = [...(name || "?")];
  const chinese = /\p{Script=Han}/u.test(name);
  const shown = chinese ? letters.slice(-2).join("") : letters[0].toUpperCase();
  const colour = isBot(id) ? "bot" : `f${hash % COLOURS}`;
  return el("span", { class: `face ${colour} ${kind}`, "aria-hidden": "true" }, kind === "group" ? letters.slice(0, 1).join("") : shown);
}
