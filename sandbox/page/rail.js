// On the left: who one is, and the chats one can see.

import { post } from "./api.js";
import { $, el, icon, popup, remember } from "./dom.js";
import { face } from "./face.js";
import { chatName, line, nameOf, store } from "./store.js";
import { failed } from "./toast.js";
import { brief } from "./time.js";
import { t } from "./words.js";

const SHOWN = 100;

export class Rail {
  constructor({ opened, spoken }) {
    this.opened = opened;
    this.spoken = spoken;
    this.seen = new Map();
    this.close = popup($("me"), $("people"), () => {
      $("people-search").value = "";
      this.drawPeople();
      $("people-search").focus();
    });
    $("people-search").addEventListener("input", () => this.drawPeople());
    $("people").addEventListener("keydown", (event) => this.keyed(event));
  }

  keyed(event) {
    const options = [...$("people-list").querySelectorAll("button")];
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Enter" && event.target === $("people-search")) options[0]?.click();
    if (step === undefined) return;
    event.preventDefault();
    options[Math.max(0, Math.min(options.length - 1, options.indexOf(document.activeElement) + step))]?.focus();
  }

  drawPeople() {
    const asked = $("people-search").value.trim().toLowerCase();
    const found = [...store.people.values()].filter(({ name, en_name: en }) => `${name} ${en}`.toLowerCase().includes(asked));
    const options = found.slice(0, SHOWN).map(({ id, name, en_name: en }) =>
      el("button", { type: "button", role: "option", "aria-selected": String(id === store.me), click: () => this.speakAs(id) },
        face(id, name, "small"), el("span", {}, name), el("small", {}, en)));
    $("people-list").replaceChildren(...(options.length ? options : [el("p", { class: "empty" }, t("nobody"))]));
  }

  speakAs(id) {
    store.me = id;
    remember("me", id);
    this.close();
    this.spoken();
  }

  mine() {
    const groups = [...store.chats.values()].filter((chat) => chat.mode !== "p2p");
    const own = [...store.chats.values()].find((chat) => chat.mode === "p2p" && chat.with === store.me);
    return { groups, own };
  }

  draw() {
    $("me").replaceChildren(
      face(store.me, nameOf(store.me)),
      el("span", { class: "name" }, el("b", {}, nameOf(store.me)), el("small", {}, t("speak_as"))), icon("down"),
    );
    $("me").setAttribute("aria-label", `${t("speak_as")}: ${nameOf(store.me)}`);
    const { groups, own } = this.mine();
    const bot = own ?? { id: "", mode: "p2p", with: store.me, last: null, messages: 0, at: 0 };
    $("chats").replaceChildren(...[...groups, bot].map((chat) => this.row(chat)));
  }

  row(chat) {
    const name = chatName(chat);
    const current = chat.id !== "" && chat.id === store.chat;
    if (!this.seen.has(chat.id) || current) this.seen.set(chat.id, chat.messages);
    const unread = Math.max(0, chat.messages - this.seen.get(chat.id));
    const last = chat.last ? `${chat.mode !== "p2p" && chat.last.name && !chat.last.recalled ? `${chat.last.name}: ` : ""}${line(chat.last)}` : t(chat.id ? "no_messages" : "private_none");
    const picture = chat.mode === "p2p" ? face(store.bot.id, name) : face(chat.id, name, "group");
    return el("li", {},
      el("button", { type: "button", class: "chat", "aria-current": current ? "true" : null, click: () => this.open(chat) },
        picture,
        el("span", { class: "name" },
          el("b", {}, name, chat.mode === "p2p" ? el("span", { class: "badge" }, t("bot")) : null), el("small", {}, last)),
        el("span", { class: "when" },
          chat.last ? el("small", {}, brief(chat.last.at, store.now)) : null,
          unread ? el("span", { class: "unread", "aria-label": t("new_messages", { n: unread }) }, unread > 999 ? "999+" : String(unread)) : null)));
  }

  async open(chat) {
    try {
      const opened = chat.id ? chat : await post("chats", { person: store.me });
      store.chats.set(opened.id, opened);
      this.opened(opened.id);
    } catch (error) {
      failed(error);
    }
  }
}
