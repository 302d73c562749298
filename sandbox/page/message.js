// One message: who, when, what, and what can be done with it.

import { button, el } from "./dom.js";
import { body, fromBot, system } from "./content.js";
import { card } from "./cards.js";
import { picker, reactions } from "./emoji.js";
import { face } from "./face.js";
import { isBot, line, nameOf, store } from "./store.js";
import { clock, full } from "./time.js";
import { t } from "./words.js";

export function draw(node, message, actions) {
  const active = node.contains(document.activeElement) ? document.activeElement : null;
  const place = active ? [...node.querySelectorAll("button")].indexOf(active) : -1;
  redraw(node, message, actions);
  // Whoever was about to press or write something in it goes on there.
  if (active?.isConnected) active.focus({ preventScroll: true });
  else if (place >= 0) [...node.querySelectorAll("button")][place]?.focus({ preventScroll: true });
}

function redraw(node, message, actions) {
  const name = message.name || nameOf(message.sender);
  const old = node.querySelector(":scope > .column > article.card");
  const keep = old !== null && node.drawn === message.card ? old : null;
  node.drawn = message.card;
  node.classList.toggle("mine", message.sender === store.me);
  node.classList.toggle("pinned", message.pinned);
  node.classList.toggle("centre", message.recalled || message.type === "system");
  if (message.recalled) return node.replaceChildren(el("p", { class: "aside" }, t("recalled", { name })));
  if (message.type === "system") return node.replaceChildren(el("p", { class: "aside" }, system(message.content)));
  const when = el("time", { datetime: new Date(message.at).toISOString(), title: full(message.at) }, clock(message.at));
  const about = el(
    "div", { class: "about" },
    el("b", {}, name), fromBot(message) ? el("span", { class: "badge" }, t("bot")) : null, when,
    message.edited ? el("span", {}, t("edited")) : null,
    message.pinned ? el("span", { class: "pin" }, "📌 ", t("pin")) : null,
  );
  const quoted = message.parent
    ? el("button", { type: "button", class: "quote", click: () => actions.seek(message.parent.id) },
        message.parent.name ? el("b", {}, `${message.parent.name}: `) : null, line(message.parent))
    : null;
  const said = message.card ? (keep ?? card(message, old)) : el("div", { class: `bubble ${message.type}` }, quoted, body(message));
  const topic = message.replies > 0 && actions.topic
    ? el("button", { type: "button", class: "replies", click: () => actions.topic(message) }, t("replies", { n: message.replies }))
    : null;
  const chips = reactions(message, (emoji, mine) => actions.react(message, emoji, mine), (at) => pick(node, at, message, actions));
  const column = el("div", { class: "column" }, about, message.card ? quoted : null, said, chips, topic);
  node.setAttribute("aria-label", `${name}, ${clock(message.at)}`);
  const face_ = face(message.sender, name);
  const tools = node.querySelector(":scope > .tools");
  const open = node.querySelector(":scope > .emojis");
  node.replaceChildren(face_, column, ...(tools ? [toolbar(node, message, actions)] : []), ...(open ? [open] : []));
}

function toolbar(node, message, actions) {
  const mine = message.sender === store.me;
  const owner = store.chats.get(message.chat)?.owner === store.me;
  return el(
    "div", { class: "tools", role: "toolbar", "aria-label": t("more") },
    button("smile", t("react"), (event) => pick(node, event.currentTarget, message, actions)),
    button("reply", t("reply"), () => actions.reply(message)),
    actions.topic && store.chats.get(message.chat)?.mode !== "p2p" ? button("topic", t("open_topic"), () => actions.topic(message)) : null,
    button("pin", t(message.pinned ? "unpin" : "pin"), () => actions.pin(message), { "aria-pressed": String(message.pinned) }),
    (mine || owner) && !isBot(message.sender) ? button("recall", t("recall"), () => actions.recall(message)) : null,
  );
}

// The tools are made for one message at a time: a history of thousands of buttons would be slow.
export function offerTools(list, messageOf, actions) {
  const offer = (node) => {
    const message = node && messageOf(node.dataset.id);
    if (!message || message.recalled || message.type === "system" || node.querySelector(":scope > .tools")) return;
    for (const other of list.querySelectorAll(":scope > .message > .tools")) if (!other.parentElement.contains(document.activeElement)) other.remove();
    node.append(toolbar(node, message, actions));
  };
  for (const type of ["pointerover", "focusin", "click"]) list.addEventListener(type, (event) => offer(event.target.closest?.(".message")));
}

function pick(node, opener, message, actions) {
  node.querySelector(".emojis")?.remove();
  const close = (focus) => {
    grid.remove();
    document.removeEventListener("pointerdown", elsewhere, true);
    if (focus && opener.isConnected) opener.focus();
  };
  const elsewhere = (event) => !grid.contains(event.target) && close(false);
  const grid = picker((emoji) => {
    close(true);
    const mine = message.reactions?.some((each) => each.emoji === emoji && each.who.includes(store.me));
    actions.react(message, emoji, mine);
  });
  grid.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    close(true);
  });
  document.addEventListener("pointerdown", elsewhere, true);
  node.append(grid);
  grid.classList.toggle("above", node.getBoundingClientRect().bottom + grid.offsetHeight > innerHeight - 60);
  grid.querySelector("button").focus();
}
