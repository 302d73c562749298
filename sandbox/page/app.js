// Puts the parts of the page together, and passes on to them what the sandbox tells.

import { get, post } from "./api.js";
import { Calls } from "./calls.js";
import { $, icon, remember } from "./dom.js";
import { Events } from "./events.js";
import { live } from "./live.js";
import { Rail } from "./rail.js";
import { store, take } from "./store.js";
import { Tables } from "./tables.js";
import { Talk } from "./talk.js";
import { stamp } from "./time.js";
import { failed, toast } from "./toast.js";
import { locale, number, switchLanguage, t, translate } from "./words.js";

const THEMES = ["auto", "light", "dark"];

const talk = new Talk();
const tables = new Tables();
const events = new Events();
const calls = new Calls();
const rail = new Rail({ opened: (id) => open(id).catch(failed), spoken: speak });
let state = null;
let reached = true;
let started = "";

async function open(id) {
  view("chat");
  $("app").classList.add("reading");
  const opened = talk.open(id);
  remember("chat", id);
  rail.draw();
  await opened;
  // On a phone the keyboard would cover what one came to read.
  if (matchMedia("(hover: hover)").matches) $("draft")?.focus({ preventScroll: true });
}

function speak() {
  const mine = store.chats.get(store.chat);
  rail.draw();
  if (mine?.mode === "p2p" && mine.with !== store.me) {
    const { own, groups } = rail.mine();
    open(own?.id ?? groups[0]?.id).catch(failed);
  } else talk.draw();
}

async function connected({ again, broken }) {
  const overview = await get("overview");
  if (started && started !== overview.started) return location.reload();
  started = overview.started;
  take(overview);
  reached = true;
  told({ now: overview.now, state: overview.state, tables: overview.tables });
  rail.draw();
  if (again) {
    if (broken) toast(t("back_again"), "success");
    return talk.again();
  }
  const wanted = remember("chat");
  const visible = (chat) => chat && (chat.mode !== "p2p" || chat.with === store.me);
  const first = visible(store.chats.get(wanted)) ? wanted : overview.chats.find(visible)?.id;
  if (first) {
    await talk.open(first);
    rail.draw();
  }
  document.documentElement.dataset.ready = "1";
  return undefined;
}

function told(update) {
  store.now = update.now;
  $("clock").textContent = stamp(update.now);
  if (update.state) state = update.state;
  for (const chat of update.chats ?? []) store.chats.set(chat.id, chat);
  if (update.chats) {
    talk.take(update);
    rail.draw();
  }
  if (update.tables) tables.take(update.tables);
  if (update.pushes) events.take(update.pushes, update.push_counts);
  if (update.calls) calls.take(update.calls, update.call_counts);
  drawState();
}

function drawState() {
  const bar = $("bot-state");
  const on = reached && state?.connections > 0;
  const words = reached ? t(on ? "bot_on" : "bot_off") : t("stream_off");
  if (bar.textContent !== words) bar.textContent = words;
  bar.className = `state ${reached ? (on ? "on" : "off") : "lost"}`;
  const scenario = state?.scenario;
  const shown = Boolean(scenario?.total) && !scenario.done;
  $("scenario").hidden = !shown;
  if (!shown) return;
  const [progress, words_, play] = $("scenario").children;
  progress.max = scenario.total;
  progress.value = scenario.played;
  progress.setAttribute("aria-label", t("acts", { played: scenario.played, total: scenario.total }));
  words_.textContent = scenario.started ? t("acts", { played: number(scenario.played), total: number(scenario.total) }) : t("started_not");
  play.hidden = scenario.started;
}

function view(name) {
  $("app").dataset.view = name;
  for (const tab of document.querySelectorAll(".tabs button")) tab.setAttribute("aria-current", String(tab.dataset.view === name));
}

function dress(theme) {
  document.documentElement.dataset.theme = theme;
  $("theme").replaceChildren(icon({ auto: "auto", light: "sun", dark: "moon" }[theme]));
  $("theme").title = t(`theme_${theme}`);
  $("theme").setAttribute("aria-label", t(`theme_${theme}`));
}

function draw() {
  translate();
  document.title = `larkflock · ${t("sandbox")}`;
  $("language").textContent = t("language_short");
  $("language").lang = locale() === "zh-CN" ? "en" : "zh";
  dress(document.documentElement.dataset.theme ?? "auto");
  rail.draw();
  talk.draw();
  tables.draw();
  events.draw();
  calls.draw();
  drawState();
}

function enlarge(name) {
  const panes = $("panes");
  panes.dataset.only = panes.dataset.only === name ? "" : name;
  for (const button of document.querySelectorAll(".grow")) {
    const large = button.dataset.pane === panes.dataset.only;
    button.replaceChildren(icon(large ? "shrink" : "grow"));
    button.setAttribute("aria-pressed", String(large));
  }
}

$("back").append(icon("back"));
$("back").addEventListener("click", () => $("app").classList.remove("reading"));
$("play").addEventListener("click", () => post("play").catch(failed));
$("language").addEventListener("click", () => {
  switchLanguage();
  draw();
});
$("theme").addEventListener("click", () => {
  const next = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length];
  remember("theme", next);
  dress(next);
});
for (const tab of document.querySelectorAll(".tabs button")) tab.addEventListener("click", () => view(tab.dataset.view));
for (const button of document.querySelectorAll(".grow")) button.addEventListener("click", () => enlarge(button.dataset.pane));

document.documentElement.dataset.theme = THEMES.includes(remember("theme")) ? remember("theme") : "auto";
draw();
enlarge("");
view("chat");
live({
  updated: told,
  connected: (how) => connected(how).catch(failed),
  lost: () => {
    reached = false;
    drawState();
  },
});
