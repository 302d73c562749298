// The platform's emoji names and the nearest character for each; a name that is not here is shown as it is.

import { button, el } from "./dom.js";
import { nameOf, store } from "./store.js";
import { t } from "./words.js";

const OFFERED = {
  THUMBSUP: "👍", OK: "👌", HEART: "❤️", SMILE: "🙂", LAUGH: "😄", LOL: "😂", APPLAUSE: "👏", THANKS: "🙏",
  DONE: "✅", MUSCLE: "💪", PARTY: "🎉", Fire: "🔥", JIAYI: "➕", OnIt: "🫡", Get: "💡", LGTM: "🆗",
  WOW: "😮", THINKING: "🤔", SOB: "😭", CRY: "😢", FACEPALM: "🤦", ANGRY: "😠", ROSE: "🌹", Trophy: "🏆",
};
const MORE = {
  FINGERHEART: "🫰", FISTBUMP: "🤜", JIAYI: "➕", CLAP: "👏", PRAISE: "🤩", BLUSH: "😊", WINK: "😉", KISS: "😘", HUG: "🤗", SHOCKED: "😱", SWEAT: "😅",
  OneSecond: "⏳", Typing: "⌨️", CheckMark: "✔️", CrossMark: "❌", Hundred: "💯", EYES: "👀", COFFEE: "☕", BEER: "🍺", CAKE: "🎂", GIFT: "🎁", REDPACKET: "🧧",
  YEAH: "✌️", HIGHFIVE: "🙌", SALUTE: "🫡", Pin: "📌", Alarm: "⏰", THUMBSDOWN: "👎", MinusOne: "👎", SLEEP: "😴", PROUD: "😎", STRIVE: "✊", HEARTBROKEN: "💔", Yes: "✔️", No: "❌", BOMB: "💣", POOP: "💩",
};

export const glyph = (name) => OFFERED[name] ?? MORE[name] ?? name;

export function picker(chosen) {
  const keys = Object.entries(OFFERED).map(([name, shown]) =>
    el("button", { type: "button", class: "emoji", "aria-label": name, title: name, click: () => chosen(name) }, shown),
  );
  const grid = el("div", { class: "popup emojis", role: "dialog", "aria-label": t("react") }, keys);
  grid.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 8, ArrowUp: -8 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    keys[Math.max(0, Math.min(keys.length - 1, keys.indexOf(document.activeElement) + step))].focus();
  });
  return grid;
}

// The emojis under a message; pressing one adds or takes off one's own.
export function reactions(message, toggle, pick) {
  if (!message.reactions?.length) return null;
  const chips = message.reactions.map(({ emoji, who }) => {
    const mine = who.includes(store.me);
    const names = who.slice(0, 30).map(nameOf);
    const told = names.slice(0, 2).join("、") + (who.length > 2 ? ` +${who.length - 2}` : "");
    return el(
      "button",
      { type: "button", class: "chip", "aria-pressed": String(mine), "aria-label": `${emoji} ${who.length}: ${names.join(", ")}`, title: names.join("、"), click: () => toggle(emoji, mine) },
      el("span", { class: "glyph" }, glyph(emoji)), el("span", { class: "names" }, told), el("b", {}, String(who.length)),
    );
  });
  return el("div", { class: "reactions" }, chips, button("smile", t("react"), (event) => pick(event.currentTarget), { class: "chip more" }));
}
