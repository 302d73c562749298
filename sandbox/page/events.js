// The events that were pushed and what became of each; a press shows the payload.

import { get } from "./api.js";
import { $, el, icon } from "./dom.js";
import { failed, toast } from "./toast.js";
import { number, t } from "./words.js";

const MOST = 200;
const short = (type) => type.replace(/^im\.(message|chat)\./, "$1.").replace(/_v1$/, "");

export const took = (ms) => (ms < 10 ? ms.toFixed(1) : String(Math.round(ms)));

export class Events {
  constructor() {
    this.pushes = new Map();
    this.list = el("ol", { class: "lines" });
    this.counts = null;
    $("payload-close").append(icon("close"));
    $("payload-close").addEventListener("click", () => $("payload").close());
    $("payload-copy").addEventListener("click", () => navigator.clipboard?.writeText($("payload-text").textContent).then(() => toast(t("copied"), "success"), failed));
    $("payload").addEventListener("click", (event) => event.target === $("payload") && $("payload").close());
  }

  take(pushes, counts) {
    this.counts = counts;
    for (const push of pushes) {
      const known = this.pushes.get(push.id);
      const line = this.line(push);
      if (known) known.line.replaceWith(line);
      else this.list.prepend(line);
      this.pushes.set(push.id, { push, line });
    }
    while (this.list.children.length > MOST) {
      this.pushes.delete(this.list.lastElementChild.dataset.id);
      this.list.lastElementChild.remove();
    }
    this.drawSum();
    if (!this.list.isConnected) $("pushes").replaceChildren(this.list);
  }

  line(push) {
    const again = push.attempts > 1 ? el("span", { class: "again" }, t("attempts", { n: push.attempts })) : null;
    const node = el("li", {},
      el("button", { type: "button", class: `line ${push.state}`, click: () => this.show(push.id) },
        el("i", { class: "dot", role: "img", "aria-label": t(push.state), title: t(push.state) }),
        el("span", { class: "what" }, short(push.type)), again,
        el("code", {}, push.event_id.slice(0, 8)),
        el("span", { class: "ms" }, push.state === "acked" ? `${took(push.ms)} ms` : t(push.state))));
    node.dataset.id = push.id;
    return node;
  }

  drawSum() {
    const { counts } = this;
    $("push-sum").textContent = counts ? t("push_sum", { acked: number(counts.acked), events: number(counts.events), ms: counts.ack_ms?.p50 === undefined ? "–" : took(counts.ack_ms.p50) }) : "";
  }

  draw() {
    if (!this.pushes.size) return $("pushes").replaceChildren(el("p", { class: "empty" }, t("no_pushes")));
    for (const known of this.pushes.values()) {
      const line = this.line(known.push);
      known.line.replaceWith(line);
      known.line = line;
    }
    this.drawSum();
  }

  async show(id) {
    try {
      const push = await get(`pushes/${id}`);
      const facts = { event_id: push.event_id, number: number(push.number), attempts_n: push.attempts, state: t(push.state), took: push.ms ? `${push.ms} ms` : "–" };
      $("payload-title").textContent = push.type;
      $("payload-facts").replaceChildren(...Object.entries(facts).flatMap(([name, value]) => [el("dt", {}, t(name)), el("dd", {}, String(value))]));
      const answer = push.answer === undefined ? "" : `\n\n// ${t("answered")}\n${JSON.stringify(push.answer, null, 2)}`;
      $("payload-text").textContent = JSON.stringify(push.payload, null, 2) + answer;
      $("payload").showModal();
    } catch (error) {
      failed(error);
    }
  }
}
