// Cards in the chat. The sandbox renders and escapes them (card_view.py); here is what happens when somebody uses one.

import { post } from "./api.js";
import { store } from "./store.js";
import { failed, sure, toast } from "./toast.js";
import { t } from "./words.js";

const ZONE = "Asia/Shanghai";

// The one place where text becomes HTML: what the sandbox's own template made. No other policy is allowed by the page's CSP.
const policy = window.trustedTypes?.createPolicy("card", { createHTML: (html) => html }) ?? { createHTML: (html) => html };

export function card(message, before = null) {
  const parsed = new DOMParser().parseFromString(policy.createHTML(message.card), "text/html");
  const node = document.importNode(parsed.body.firstElementChild, true);
  node.dataset.message = message.id;
  node.addEventListener("click", pressed);
  node.addEventListener("keydown", keyed);
  node.addEventListener("change", chosen);
  node.addEventListener("input", touched);
  if (before !== null) carryOver(before, node);
  return node;
}

// A card that changes while somebody fills it in keeps what was filled in, and what was unfolded.
function carryOver(before, now) {
  const folds = [...now.querySelectorAll("details")];
  [...before.querySelectorAll("details")].forEach((fold, place) => folds[place] && (folds[place].open = fold.open));
  if (before.dataset.sent) return;
  for (const field of before.querySelectorAll("[data-touched]")) {
    const same = now.querySelector(`[data-name="${CSS.escape(field.dataset.name ?? "")}"]`);
    if (same === null || same.tagName !== field.tagName) continue;
    if (isChoices(field)) {
      const ticked = valueOf(field);
      for (const box of same.querySelectorAll("input")) box.checked = ticked.includes(box.value);
    } else if (field.type === "checkbox") same.checked = field.checked;
    else if ("value" in field) same.value = field.value;
    same.dataset.touched = "1";
    if (field === document.activeElement) requestAnimationFrame(() => same.focus());
  }
}

const isChoices = (field) => field.classList.contains("choices");
const shanghai = (value) => (value ? `${value.replace("T", " ")} +0800` : "");

function valueOf(field) {
  if (isChoices(field)) return [...field.querySelectorAll("input:checked")].map((each) => each.value);
  if (field.dataset.tag === "checker") return field.checked;
  if (["date_picker", "picker_time", "picker_datetime"].includes(field.dataset.tag)) return shanghai(field.value);
  return field.value;
}

function filledIn(form) {
  const values = {};
  for (const field of form.querySelectorAll("[data-name][data-tag]")) values[field.dataset.name] = valueOf(field);
  return values;
}

const lacking = (form) =>
  [...form.querySelectorAll("[data-tag][required]")].find((field) => (isChoices(field) ? !valueOf(field).length : !field.value));

async function pressed(event) {
  const part = event.target.closest("[data-action], [data-submits]");
  if (part === null || part.dataset.tag || part.disabled || event.target.closest("a[href], input, select, textarea, label") !== null && !part.matches("a")) return;
  const action = JSON.parse(part.dataset.action || "{}");
  const form = part.closest("[data-form]");
  if (part.dataset.submits === "reset") return reset(form);
  if (part.dataset.submits === "submit" && form) {
    const field = lacking(form);
    if (field) {
      toast(t("required"), "warning");
      return field.focus();
    }
    action.form_value = filledIn(form);
  }
  if (part.dataset.confirm) {
    const [title, ...text] = part.dataset.confirm.split("\n");
    if (!(await sure(title, text.join("\n")))) return;
  }
  await send(part, action);
}

function keyed(event) {
  if (event.target.dataset.tag === "input" && event.key === "Enter" && !event.isComposing && event.target.tagName === "INPUT") {
    event.preventDefault();
    const form = event.target.closest("[data-form]");
    if (form) form.querySelector('[data-submits="submit"]')?.click();
    else event.target.blur();
  } else if (event.target.getAttribute("role") === "button" && (event.key === "Enter" || event.key === " ")) {
    event.preventDefault();
    event.target.click();
  }
}

function touched(event) {
  (event.target.closest(".choices") ?? event.target).dataset.touched = "1";
}

async function chosen(event) {
  const field = event.target.closest(".choices") ?? event.target;
  if (!field.dataset.tag || !field.dataset.action || field.closest("[data-form]")) return;
  const action = JSON.parse(field.dataset.action);
  const value = valueOf(field);
  if (field.dataset.tag === "input") action.input_value = value;
  else if (field.dataset.tag === "checker") action.checked = value;
  else if (Array.isArray(value)) action.options = value;
  else action.option = value;
  await send(field, action);
  if (field.dataset.tag === "overflow") field.value = "";
}

function reset(form) {
  for (const field of form?.querySelectorAll("input, textarea, select") ?? []) {
    if (field.type === "checkbox") field.checked = field.defaultChecked;
    else if (field.tagName === "SELECT") field.selectedIndex = Math.max(0, [...field.options].findIndex((option) => option.defaultSelected));
    else field.value = field.defaultValue;
  }
}

async function send(part, action) {
  const article = part.closest("article");
  part.classList.add("busy");
  if (action.form_value) article.dataset.sent = "1";
  try {
    const { code, msg, toast: said } = await post("clicks", { message: article.dataset.message, person: store.me, action: { timezone: ZONE, ...action } });
    if (code) toast(t("failed", { why: `${code} · ${msg}` }), "error");
    else if (said) toast(said.i18n?.[document.documentElement.lang.startsWith("zh") ? "zh_cn" : "en_us"] || said.content || "", said.type || "info");
  } catch (error) {
    failed(error);
  } finally {
    part.classList.remove("busy");
  }
}
