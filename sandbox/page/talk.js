// In the middle: the chat that is open, and the topic beside it.

import { act, get } from "./api.js";
import { Composer } from "./composer.js";
import { $, el, icon, popup } from "./dom.js";
import { Log } from "./log.js";
import { offerTools } from "./message.js";
import { chatName, line, store } from "./store.js";
import { failed, sure } from "./toast.js";
import { t } from "./words.js";

export class Talk {
  constructor() {
    this.members = [];
    this.thread = null;
    this.fresh = 0;
    const actions = {
      react: (message, emoji, mine) => this.does(mine ? "unreact" : "react", message, { person: store.me, emoji }),
      pin: (message) => this.does(message.pinned ? "unpin" : "pin", message, { by: store.me }),
      recall: async (message) => {
        if (await sure(t("recall"), line({ ...message, text: message.content?.text ?? "" }))) this.does("recall", message, { by: store.me });
      },
    };
    this.log = new Log($("log"), $("scroll"), {
      path: () => `chats/${store.chat}`,
      moved: () => this.drawNewest(),
      actions: { ...actions, seek: (id) => this.seek(id), reply: (message) => this.replyTo(message), topic: (message) => this.openTopic(message) },
    });
    this.topicLog = new Log($("thread-log"), $("thread-scroll"), {
      path: () => `topics/${this.thread.thread}`,
      actions: { ...actions, seek: (id) => this.topicLog.seek(id).catch(failed), reply: (message) => this.topicComposer.reply(message) },
    });
    this.log.actions.log = this.log;
    offerTools($("log"), (id) => this.log.items.get(id)?.message, this.log.actions);
    offerTools($("thread-log"), (id) => this.topicLog.items.get(id)?.message, this.topicLog.actions);
    const members = () => this.members;
    this.composer = new Composer($("composer"), { id: "draft", members, where: () => ({ chat: this.chat }), sent: () => this.toNewest() });
    this.topicComposer = new Composer($("thread-composer"), {
      id: "thread-draft", members, sent: () => this.topicSent(),
      where: () => ({ chat: this.chat, thread: this.thread, topic: this.thread && { parent: this.thread.id, root: this.thread.id, thread: true } }),
    });
    $("thread-close").append(icon("close"));
    $("thread-close").addEventListener("click", () => this.closeTopic());
    $("thread").addEventListener("keydown", (event) => event.key === "Escape" && this.closeTopic());
    $("newest").addEventListener("click", () => this.toNewest());
    this.closePins = popup($("pins"), $("pinned"), () => this.drawPins());
    this.receiveFiles();
  }

  get chat() {
    return store.chats.get(store.chat);
  }

  does(kind, message, more) {
    return act(kind, { chat: message.chat, message: message.id, ...more }).catch(failed);
  }

  async open(id, around = "") {
    store.chat = id;
    this.closeTopic();
    this.closePins(false);
    this.fresh = 0;
    this.members = [];
    this.log.close();
    this.composer.clear();
    this.drawHead();
    await Promise.all([this.log.open(around), this.findMembers()]);
  }

  async findMembers() {
    const id = store.chat;
    const { items } = await get(`chats/${id}/members`);
    if (id !== store.chat) return;
    this.members = items;
    this.drawComposers();
  }

  // After the connection was lost: what is shown may be old.
  async again() {
    if (!this.chat) return;
    await Promise.all([this.log.stuck ? this.log.open() : null, this.thread ? this.topicLog.open() : null, this.findMembers()]);
    this.drawHead();
  }

  take({ messages = [], overtaken = [], chats = [] }) {
    const here = messages.filter((message) => message.chat === store.chat);
    const inChat = here.filter((message) => !(message.thread && message.root));
    const before = this.log.items.size;
    const added = this.log.take(inChat);
    if (added && !this.log.stuck) this.fresh += Math.max(0, this.log.items.size - before);
    if (this.thread) this.takeTopic(here);
    if (overtaken.includes(store.chat)) {
      if (this.log.stuck) this.log.open().catch(failed);
      else {
        this.log.newer += 1;
        this.fresh += 1;
      }
      if (this.thread?.thread) this.topicLog.open().catch(failed);
    }
    const mine = chats.find((chat) => chat.id === store.chat);
    if (mine) {
      if (mine.members !== this.members.length) this.findMembers().catch(failed);
      this.drawHead();
      if (!$("pinned").hidden) this.drawPins();
    }
    this.drawNewest();
  }

  takeTopic(messages) {
    const root = messages.find((message) => message.id === this.thread.id);
    const began = root?.thread && !this.thread.thread;
    if (root) this.thread = root;
    if (began) this.topicLog.open().catch(failed);
    else this.topicLog.take(messages.filter((message) => message.thread && message.thread === this.thread.thread));
    if (root) this.drawThread();
  }

  replyTo(message) {
    if (this.chat?.mode === "topic") return this.openTopic(message);
    return this.composer.reply(message);
  }

  openTopic(message) {
    this.thread = message;
    $("thread").hidden = false;
    $("talk").classList.add("split");
    this.topicComposer.clear();
    this.drawThread();
    this.topicLog.close();
    if (message.thread) this.topicLog.open().catch(failed);
    else {
      this.topicLog.put([message]);
      this.topicLog.lay();
    }
    $("thread-draft")?.focus();
  }

  topicSent() {
    if (this.thread.thread) this.topicLog.stuck = true;
  }

  closeTopic() {
    if ($("thread").hidden) return;
    $("thread").hidden = true;
    $("talk").classList.remove("split");
    this.thread = null;
    this.topicLog.close();
    $("draft")?.focus();
  }

  seek(id) {
    this.closePins(false);
    return this.log.seek(id).catch(failed);
  }

  toNewest() {
    this.fresh = 0;
    if (this.log.atNewest) {
      this.log.stuck = true;
      this.log.toBottom();
      this.drawNewest();
    } else this.log.open().catch(failed);
  }

  draw() {
    this.drawHead();
    this.drawComposers();
    this.log.redrawAll();
    if (this.thread) {
      this.topicLog.redrawAll();
      this.drawThread();
    }
    this.drawNewest();
  }

  drawComposers() {
    this.composer.draw();
    this.topicComposer.draw();
  }

  drawHead() {
    const { chat } = this;
    if (!chat) return;
    $("chat-name").textContent = chatName(chat);
    const kind = { group: "group", topic: "topic_group", p2p: "private" }[chat.mode];
    $("chat-about").textContent = chat.mode === "p2p" ? t(kind) : `${t(kind)} · ${t("members", { n: chat.members })}`;
    $("pins").hidden = chat.pins === 0;
    $("pins").replaceChildren(icon("pin"), t("pinned_n", { n: chat.pins }));
  }

  drawThread() {
    $("thread-about").textContent = t("replies", { n: this.thread.replies ?? 0 });
  }

  drawNewest() {
    if (this.log.stuck) this.fresh = 0;
    const away = this.log.newer > 0 || (!this.log.stuck && $("scroll").scrollHeight - $("scroll").scrollTop - $("scroll").clientHeight > 300);
    $("newest").hidden = !away && this.fresh === 0;
    $("newest").replaceChildren(this.fresh ? t("new_messages", { n: this.fresh }) : t("newest"), icon("down"));
  }

  async drawPins() {
    const { items } = await get(`chats/${store.chat}/pins`);
    const rows = items.map((message) =>
      el("button", { type: "button", class: "pinned-one", click: () => this.seek(message.id) },
        el("b", {}, message.name), el("span", {}, line({ ...message, text: words(message) }))));
    $("pinned").replaceChildren(el("h2", {}, t("pinned")), ...(rows.length ? rows : [el("p", { class: "empty" }, t("nothing_pinned"))]));
    $("pinned").querySelector("button")?.focus();
  }

  receiveFiles() {
    const area = $("talk");
    const carries = (event) => event.dataTransfer?.types.includes("Files");
    area.addEventListener("dragover", (event) => carries(event) && (event.preventDefault(), area.classList.add("dropping")));
    area.addEventListener("dragleave", (event) => !area.contains(event.relatedTarget) && area.classList.remove("dropping"));
    area.addEventListener("drop", (event) => {
      if (!carries(event)) return;
      event.preventDefault();
      area.classList.remove("dropping");
      (this.thread ? this.topicComposer : this.composer).files(event.dataTransfer.files);
    });
  }
}

function words(message) {
  if (message.type === "text") return message.mentions.reduce((text, each) => text.replaceAll(each.key, `@${each.name}`), message.content.text);
  return message.content?.title || message.content?.file_name || "";
}
