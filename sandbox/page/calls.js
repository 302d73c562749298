// The API calls the app made: one by one, and counted by name.

import { $, el } from "./dom.js";
import { took } from "./events.js";
import { seconds } from "./time.js";
import { number, t } from "./words.js";

const MOST = 200;

export class Calls {
  constructor() {
    this.made = [];
    this.counts = null;
    this.byName = false;
    this.list = el("ol", { class: "lines" });
    $("calls-latest").addEventListener("click", () => this.show(false));
    $("calls-by-name").addEventListener("click", () => this.show(true));
  }

  show(byName) {
    this.byName = byName;
    $("calls-latest").setAttribute("aria-pressed", String(!byName));
    $("calls-by-name").setAttribute("aria-pressed", String(byName));
    this.draw();
  }

  take(calls, counts) {
    const last = this.made.at(-1)?.number ?? 0;
    const fresh = calls.filter((call) => call.number > last);
    this.made = [...this.made, ...fresh].slice(-MOST);
    this.counts = counts;
    for (const call of fresh) this.list.prepend(line(call));
    while (this.list.children.length > MOST) this.list.lastElementChild.remove();
    if (this.byName || !this.list.isConnected) this.draw();
    else this.drawSum();
  }

  drawSum() {
    const { counts } = this;
    if (!counts) return;
    const n = number(counts.this_month);
    $("call-sum").textContent = counts.quota ? t("call_sum_quota", { n, quota: number(counts.quota) }) : t("call_sum", { n });
  }

  draw() {
    this.drawSum();
    if (!this.made.length) return $("calls").replaceChildren(el("p", { class: "empty" }, t("no_calls")));
    if (!this.byName) return $("calls").replaceChildren(this.list);
    const most = Math.max(...this.counts.by_name.map((each) => each.count));
    return $("calls").replaceChildren(el("ul", { class: "counts" }, this.counts.by_name.map(({ name, count, failed }) =>
      el("li", {}, el("span", { class: "what" }, name), failed ? el("span", { class: "again" }, t("failed_n", { n: failed })) : null, el("b", {}, number(count)),
        el("meter", { min: "0", max: String(most), value: String(count), "aria-hidden": "true" })))));
  }
}

function line(call) {
  return el("li", {},
    el("div", { class: `line ${call.code === 0 ? "acked" : "refused"}` },
      el("i", { class: "dot", "aria-hidden": "true" }),
      el("span", { class: "what" }, call.name),
      call.code === 0 ? null : el("span", { class: "again" }, String(call.code)),
      el("time", {}, seconds(call.at)),
      el("span", { class: "ms" }, `${took(call.ms)} ms`)));
}
