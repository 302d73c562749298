// A few words that go away by themselves, and the question before what cannot be taken back.

import { $, el } from "./dom.js";
import { t } from "./words.js";

const SHOWN_MS = 3600;

export function toast(words, kind = "info") {
  const node = el("div", { class: `toast ${kind}` }, words);
  $("toasts").append(node);
  setTimeout(() => node.remove(), SHOWN_MS);
}

export const failed = (error) => toast(t("failed", { why: error.message }), "error");

export function sure(title, text) {
  const dialog = $("sure");
  $("sure-title").textContent = title || t("sure_title");
  $("sure-text").textContent = text;
  dialog.showModal();
  return new Promise((resolve) => {
    const answer = (value) => () => {
      dialog.close(value);
    };
    $("sure-yes").onclick = answer("yes");
    $("sure-no").onclick = answer("no");
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
    dialog.returnValue = "";
  });
}
