// Where one writes: text with mentions, a reply, images and files.

import { act, messageId, upload } from "./api.js";
import { button, el } from "./dom.js";
import { face } from "./face.js";
import { line, nameOf, store } from "./store.js";
import { failed, toast } from "./toast.js";
import { t } from "./words.js";

const OFFERED = 8;

export class Composer {
  // where() gives the chat, and the fields that put the message into a topic.
  constructor(form, { id, where, members, sent }) {
    Object.assign(this, { form, where, members, sent });
    this.parent = null;
    this.named = new Map();
    this.text = el("textarea", { id, rows: "1", autocomplete: "off", enterkeyhint: "send", "aria-controls": `${id}-names`, "aria-autocomplete": "list" });
    this.names = el("div", { class: "popup mentions", id: `${id}-names`, role: "listbox", hidden: true });
    this.quote = el("div", { class: "replying", hidden: true });
    this.tools = el("div", { class: "tools" });
    this.file = el("input", { type: "file", multiple: true, hidden: true, "aria-hidden": "true", tabindex: "-1", change: () => this.files(this.file.files) });
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    this.text.addEventListener("input", () => this.typed());
    this.text.addEventListener("keydown", (event) => this.keyed(event));
    this.text.addEventListener("blur", () => setTimeout(() => this.offer([]), 150));
    this.text.addEventListener("paste", (event) => event.clipboardData.files.length && (event.preventDefault(), this.files(event.clipboardData.files)));
    this.draw();
  }

  draw() {
    const { chat } = this.where();
    const absent = chat && chat.mode !== "p2p" && this.members().length > 0 && !this.members().includes(store.me);
    this.text.placeholder = this.placeholder();
    this.text.setAttribute("aria-label", this.text.placeholder);
    if (absent) {
      const join = el("button", { type: "button", class: "filled", click: () => act("join", { chat: chat.id, person: store.me }).catch(failed) }, t("join"));
      this.form.replaceChildren(el("p", { class: "absent" }, t("not_member", { name: nameOf(store.me) }), " ", join));
      return;
    }
    this.tools.replaceChildren(
      button("at", t("mention"), () => this.insert("@")),
      button("attach", t("attach"), () => this.file.click()),
      el("span", { class: "hint" }, t("hint")),
      el("button", { type: "submit", class: "filled", "aria-label": t("send") }, t("send")),
    );
    // A field that is put in its place again loses the focus, and whoever is typing the next letters.
    if (this.text.parentNode !== this.form) this.form.replaceChildren(this.names, this.quote, this.text, this.file, this.tools);
    this.reply(this.parent);
  }

  placeholder() {
    const { chat, thread } = this.where();
    if (thread) return t("write_reply");
    if (!chat) return "";
    return chat.mode === "topic" ? t("write_topic") : t("write_to", { name: chat.mode === "p2p" ? store.bot.name : chat.name });
  }

  reply(message) {
    this.parent = message;
    this.quote.hidden = message === null;
    if (message === null) return this.quote.replaceChildren();
    const name = message.name || nameOf(message.sender);
    const words = message.type === "text" ? (message.mentions ?? []).reduce((text, each) => text.replaceAll(each.key, `@${each.name}`), message.content.text) : "";
    this.quote.replaceChildren(
      el("span", {}, el("b", {}, t("replying", { name })), " ", line({ ...message, text: words.slice(0, 80) })),
      button("close", t("cancel"), () => this.reply(null)),
    );
    this.text.focus();
  }

  clear() {
    this.text.value = "";
    this.named.clear();
    this.parent = null;
    this.typed();
    this.draw();
  }

  insert(words) {
    const { selectionStart: start, selectionEnd: end, value } = this.text;
    const gap = words === "@" && start > 0 && /[\p{Script=Latin}\d]/u.test(value[start - 1]) ? " " : "";
    this.text.setRangeText(gap + words, start, end, "end");
    this.text.focus();
    this.typed();
  }

  typed() {
    this.text.style.height = "auto";
    this.text.style.height = `${Math.min(this.text.scrollHeight, 160)}px`;
    const before = this.text.value.slice(0, this.text.selectionStart);
    const found = before.match(/@([^\s@]{0,20})$/u);
    this.offer(found ? this.matching(found[1].toLowerCase()) : []);
  }

  matching(asked) {
    const { chat } = this.where();
    const people = this.members().filter((id) => id !== store.me).map((id) => ({ id, name: nameOf(id), en: store.people.get(id)?.en_name ?? "" }));
    const everyone = { id: "all", name: t("name_all"), en: "all everyone 所有人", hint: t("all_hint") };
    const bot = { id: store.bot.open_id, name: store.bot.name, en: "bot", hint: t("bot") };
    const offered = chat?.mode === "p2p" ? [bot] : [bot, ...people, everyone];
    return offered.filter(({ name, en }) => name.toLowerCase().includes(asked) || en.toLowerCase().includes(asked)).slice(0, OFFERED);
  }

  offer(people) {
    this.offered = people;
    this.at = 0;
    this.names.hidden = people.length === 0;
    this.text.setAttribute("aria-expanded", String(people.length > 0));
    this.names.replaceChildren(...people.map((person, place) =>
      el("div", { class: "option", role: "option", id: `${this.names.id}-${place}`, pointerdown: (event) => (event.preventDefault(), this.choose(person)) },
        face(person.id, person.name, "small"), el("span", {}, person.name), person.hint ? el("small", {}, person.hint) : null)));
    this.mark();
  }

  mark() {
    [...this.names.children].forEach((node, place) => node.setAttribute("aria-selected", String(place === this.at)));
    if (this.offered.length) this.text.setAttribute("aria-activedescendant", `${this.names.id}-${this.at}`);
    else this.text.removeAttribute("aria-activedescendant");
  }

  choose(person) {
    const end = this.text.selectionStart;
    const start = this.text.value.lastIndexOf("@", end - 1);
    this.text.setRangeText(`@${person.name} `, start, end, "end");
    this.named.set(person.name, person.id);
    this.typed();
  }

  keyed(event) {
    if (event.isComposing) return;
    const open = !this.names.hidden;
    if (open && ["ArrowDown", "ArrowUp"].includes(event.key)) {
      event.preventDefault();
      this.at = (this.at + (event.key === "ArrowDown" ? 1 : -1) + this.offered.length) % this.offered.length;
      this.mark();
    } else if (open && (event.key === "Enter" || event.key === "Tab")) {
      event.preventDefault();
      this.choose(this.offered[this.at]);
    } else if (open && event.key === "Escape") {
      event.stopPropagation();
      this.offer([]);
    } else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.send();
    } else if (event.key === "Escape" && this.parent !== null) {
      event.stopPropagation();
      this.reply(null);
    }
  }

  // The text with a placeholder for everybody who is named in it.
  written() {
    const mentions = [];
    const longestFirst = [...this.named.keys()].sort((a, b) => b.length - a.length);
    const names = new RegExp(longestFirst.map((name) => `@${name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}`).join("|") || "$^", "gu");
    const text = this.text.value.trim().replace(names, (named) => {
      const name = named.slice(1);
      const id = this.named.get(name);
      if (id === "all") return "@_all";
      const known = mentions.find((each) => each.open_id === id);
      if (known) return known.key;
      const key = `@_user_${mentions.length + 1}`;
      mentions.push({ key, open_id: id, name });
      return key;
    });
    return { text, mentions };
  }

  async send() {
    const { text, mentions } = this.written();
    if (!text) return;
    const kept = { value: this.text.value, named: new Map(this.named), parent: this.parent };
    const placed = this.placed();
    this.clear();
    try {
      await this.say("text", { text }, { mentions, ...placed });
    } catch (error) {
      this.text.value = kept.value;
      this.named = kept.named;
      this.reply(kept.parent);
      failed(error);
    }
    this.text.focus();
  }

  placed() {
    const { topic } = this.where();
    if (this.parent === null) return topic ?? {};
    return { parent: this.parent.id, ...(topic ? { ...topic, parent: this.parent.id } : {}) };
  }

  async say(type, content, more) {
    const { chat } = this.where();
    const message = messageId();
    await act("say", { chat: chat.id, message, sender: store.me, type, content, ...more });
    this.sent(message);
  }

  async files(files) {
    const placed = this.placed();
    for (const file of [...files]) {
      toast(t("uploading", { name: file.name }));
      try {
        const { key, name, image } = await upload(file);
        await (image ? this.say("image", { image_key: key }, placed) : this.say("file", { file_key: key, file_name: name }, placed));
      } catch (error) {
        failed(error);
      }
    }
    this.file.value = "";
    this.parent = null;
    this.draw();
  }
}
