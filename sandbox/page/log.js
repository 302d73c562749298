// The messages of a chat or topic: a window of at most MOST, which moves up and down a history of any length.

import { get } from "./api.js";
import { el } from "./dom.js";
import { draw } from "./message.js";
import { store } from "./store.js";
import { dayName, dayOf } from "./time.js";
import { t } from "./words.js";

const PAGE = 50;
const MOST = 250;
const NEAR = 400;
const TOGETHER_MS = 5 * 60_000;

export class Log {
  constructor(list, scroller, { path, actions, moved }) {
    this.list = list;
    this.scroller = scroller;
    this.path = path;
    this.actions = actions;
    this.moved = moved ?? (() => {});
    this.items = new Map();
    this.older = 0;
    this.newer = 0;
    this.opened = 0;
    this.busy = false;
    scroller.addEventListener("scroll", () => this.scrolled(), { passive: true });
    list.addEventListener("keydown", (event) => this.keyed(event));
    // Pictures and cards that grow must not push the newest message out of sight.
    this.stuck = true;
    this.top = 0;
    const grown = new ResizeObserver(() => this.stuck && this.toBottom());
    grown.observe(list);
    grown.observe(scroller);
  }

  get atNewest() {
    return this.newer === 0;
  }

  async open(around = "") {
    const opened = ++this.opened;
    const page = await get(`${this.path()}/messages?limit=${PAGE}${around ? `&around=${around}` : ""}`);
    if (opened !== this.opened) return;
    this.items.clear();
    this.list.replaceChildren();
    this.put(page.items);
    ({ older: this.older, newer: this.newer } = page);
    this.stuck = !around;
    this.lay();
    if (around) this.reveal(around);
    else this.toBottom();
    this.moved();
  }

  close() {
    this.opened += 1;
    this.items.clear();
    this.list.replaceChildren();
  }

  async turn(where) {
    const edge = where === "before" ? this.list.querySelector(".message") : this.list.lastElementChild;
    if (this.busy || !edge) return;
    this.busy = true;
    const opened = this.opened;
    try {
      const page = await get(`${this.path()}/messages?limit=${PAGE}&${where}=${edge.dataset.id}`);
      if (opened !== this.opened) return;
      const height = this.scroller.scrollHeight;
      const top = this.scroller.scrollTop;
      this.put(page.items);
      if (where === "before") {
        this.older = page.older;
        this.lay();
        this.scroller.scrollTop = top + this.scroller.scrollHeight - height;
        this.trim("end");
      } else {
        this.newer = page.newer;
        this.trim("start");
        this.lay();
      }
      this.moved();
    } finally {
      this.busy = false;
    }
  }

  // Takes what changed; a new message is shown only where the newest are.
  take(messages) {
    let added = false;
    for (const message of messages) {
      const item = this.items.get(message.id);
      if (item) this.redraw(item, message);
      else if (this.atNewest && message.at >= this.oldest()) {
        this.put([message]);
        added = true;
      } else if (!item && !this.atNewest) this.newer += 1;
    }
    if (added) {
      if (this.stuck) this.trim("start");
      this.lay();
      if (this.stuck) this.toBottom();
    }
    return added;
  }

  oldest() {
    const first = this.items.values().next().value;
    return this.older === 0 || !first ? 0 : Math.min(...[...this.items.values()].map(({ message }) => message.at));
  }

  put(messages) {
    for (const message of messages) {
      if (this.items.has(message.id)) {
        this.redraw(this.items.get(message.id), message);
        continue;
      }
      const node = el("li", { class: "message", tabindex: "-1" });
      node.dataset.id = message.id;
      const item = { message, node };
      this.items.set(message.id, item);
      this.redraw(item, message);
      let after = this.list.lastElementChild;
      while (after && this.items.get(after.dataset.id)?.message.at > message.at) after = after.previousElementSibling;
      if (after) after.after(node);
      else this.list.prepend(node);
    }
  }

  redraw(item, message) {
    item.message = message;
    draw(item.node, message, this.actions);
  }

  redrawAll() {
    for (const item of this.items.values()) this.redraw(item, item.message);
    this.lay();
  }

  trim(side) {
    while (this.list.children.length > MOST) {
      const node = side === "start" ? this.list.firstElementChild : this.list.lastElementChild;
      const height = this.scroller.scrollHeight;
      this.items.delete(node.dataset.id);
      node.remove();
      if (side === "end") this.newer += 1;
      else {
        this.older += 1;
        if (!this.stuck) this.scroller.scrollTop -= height - this.scroller.scrollHeight;
      }
    }
  }

  // Days, and who goes on speaking.
  lay() {
    let before = null;
    for (const node of this.list.children) {
      const { message } = this.items.get(node.dataset.id);
      const sameDay = before && dayOf(before.at) === dayOf(message.at);
      if (sameDay) delete node.dataset.day;
      else node.dataset.day = dayName(message.at, store.now);
      const follows = sameDay && before.sender === message.sender && message.at - before.at < TOGETHER_MS && !before.recalled && before.type !== "system" && !message.parent;
      node.classList.toggle("follows", Boolean(follows));
      before = message;
    }
    const last = this.list.lastElementChild;
    for (const node of this.list.children) node.tabIndex = node === last ? 0 : -1;
    this.list.dataset.beginning = this.older === 0 ? t(before ? "beginning" : "no_messages") : "";
  }

  scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    const below = scrollHeight - scrollTop - clientHeight;
    // Content that grows below moves nothing: only who scrolls up lets go of the newest.
    if (this.atNewest && below < 40) this.stuck = true;
    else if (scrollTop < this.top - 2 || !this.atNewest) this.stuck = false;
    this.top = scrollTop;
    if (scrollTop < NEAR && this.older > 0) this.turn("before");
    else if (below < NEAR && this.newer > 0) this.turn("after");
    this.moved();
  }

  toBottom() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.top = this.scroller.scrollTop;
  }

  reveal(id) {
    const node = this.items.get(id)?.node;
    if (!node) return false;
    node.scrollIntoView({ block: "center" });
    node.classList.remove("found");
    requestAnimationFrame(() => node.classList.add("found"));
    return true;
  }

  async seek(id) {
    if (!this.reveal(id)) await this.open(id);
  }

  keyed(event) {
    if (!["ArrowUp", "ArrowDown"].includes(event.key) || event.target.parentElement !== this.list) return;
    const next = event.key === "ArrowUp" ? event.target.previousElementSibling : event.target.nextElementSibling;
    if (!next) return;
    event.preventDefault();
    next.focus();
  }
}
