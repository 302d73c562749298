// What the page knows of the sandbox: who there is, which chats, and who speaks.

import { remember } from "./dom.js";
import { known, t } from "./words.js";

export const store = { bot: { id: "", open_id: "", name: "" }, people: new Map(), chats: new Map(), me: "", chat: "", now: 0 };

export function take(overview) {
  store.bot = overview.bot;
  store.people = new Map(overview.people.map((person) => [person.id, person]));
  store.chats = new Map(overview.chats.map((chat) => [chat.id, chat]));
  store.now = overview.now;
  const wanted = store.me || remember("me");
  store.me = store.people.has(wanted) ? wanted : (overview.people[0]?.id ?? "");
}

export const isBot = (id) => id === store.bot.id || id === store.bot.open_id;
export const nameOf = (id) => (isBot(id) ? store.bot.name : (store.people.get(id)?.name ?? id));

export function chatName(chat) {
  if (chat.mode !== "p2p") return chat.name;
  return chat.with === store.me || !chat.with ? store.bot.name : nameOf(chat.with);
}

// A message in one line, in the reader's language.
export function line(quote) {
  if (!quote) return "";
  if (quote.recalled) return t("recalled", { name: quote.name });
  const text = (quote.text ?? "").replaceAll("@_all", `@${t("name_all")}`);
  if (quote.type === undefined) return t("gone");
  if (["text", "post", "system"].includes(quote.type)) return text;
  return `${known(quote.type) ? t(quote.type) : t("unknown", { type: quote.type })} ${text}`.trim();
}
