// What a message says, by its type, as elements.

import { el, icon } from "./dom.js";
import { isBot, line, nameOf, store } from "./store.js";
import { known, t } from "./words.js";

const ADDRESS = /https?:\/\/[^\s<>"'，。；、）】》]+/g;
const STYLES = { bold: "b", italic: "i", underline: "u", lineThrough: "s" };

// Whoever makes events may put anything into a message: what is no list holds nothing, what is no text is shown as one.
const list = (given) => (Array.isArray(given) ? given : []);
const plain = (given) => String(given ?? "");

const link = (href, ...words) =>
  /^https?:\/\//.test(href) ? el("a", { href, target: "_blank", rel: "noopener noreferrer" }, ...words) : el("span", {}, ...words);

function linked(text) {
  const parts = [];
  let done = 0;
  for (const found of text.matchAll(ADDRESS)) {
    parts.push(text.slice(done, found.index), link(found[0], found[0]));
    done = found.index + found[0].length;
  }
  return [...parts, text.slice(done)];
}

const at = (id, name) => el("span", { class: `at${id === store.me || id === "all" ? " mine" : ""}` }, `@${name}`);

// Text with its placeholders (@_user_1, @_all) replaced by names.
function mentioned(text, mentions) {
  return plain(text).split(/(@_user_\d+|@_all)/).map((part) => {
    if (part === "@_all") return at("all", t("name_all"));
    const mention = mentions.find((each) => each.key === part);
    return mention ? at(mention.id, mention.name) : linked(part);
  });
}

function image(message, key, name = "") {
  const source = `/sandbox/messages/${encodeURIComponent(message.id)}/files/${encodeURIComponent(key)}`;
  const picture = el("img", { src: source, alt: name || t("image"), loading: "lazy", class: "photo" });
  picture.addEventListener("error", () => picture.replaceWith(el("span", { class: "missing" }, t("no_image"))));
  return el("a", { href: source, target: "_blank", rel: "noopener" }, picture);
}

function file(message, content) {
  const name = content.file_name || t(message.type);
  const source = `/sandbox/messages/${encodeURIComponent(message.id)}/files/${encodeURIComponent(content.file_key ?? "")}`;
  return el("a", { class: "attached", href: source, download: name, "aria-label": t("download", { name }) }, icon("file"), el("span", {}, name), icon("save"));
}

function run(message, part) {
  switch (part.tag) {
    case "text": {
      let node = el("span", {}, linked(plain(part.text)));
      for (const style of list(part.style)) if (STYLES[style]) node = el(STYLES[style], {}, node);
      return node;
    }
    case "a": return link(part.href ?? "", part.text || part.href || "");
    case "at": {
      const known = message.mentions.find((each) => each.key === part.user_id);
      return at(part.user_id === "@_all" ? "all" : (known?.id ?? ""), part.user_id === "@_all" ? t("name_all") : part.user_name || known?.name || "");
    }
    case "img": return image(message, part.image_key ?? "");
    case "media": return file(message, { ...part, file_name: t("media") });
    case "emotion": return el("span", {}, `[${part.emoji_type ?? ""}]`);
    case "hr": return el("hr");
    case "code_block": return el("pre", {}, part.text ?? "");
    default: return el("span", {}, part.text ?? "");
  }
}

function post(message, content) {
  const paragraphs = list(content.content).map((parts) => el("p", {}, list(parts).map((part) => run(message, part ?? {}))));
  return el("div", { class: "post" }, content.title ? el("h3", {}, content.title) : null, paragraphs);
}

export function system(content) {
  return plain(content.template).replace(/\{(\w+)\}/g, (whole, key) => (Array.isArray(content[key]) ? content[key].join("、") : whole));
}

export function body(message) {
  const content = message.content ?? {};
  switch (message.type) {
    case "text": return el("div", { class: "words" }, mentioned(content.text, message.mentions));
    case "post": return post(message, content);
    case "image": return image(message, content.image_key ?? "");
    case "file": case "audio": case "media": return file(message, content);
    case "merge_forward":
      return el("div", { class: "merged" }, el("h3", {}, t("merged")), (content.items ?? []).map((each) => el("p", {}, el("b", {}, each.name || "?"), `: ${line(each)}`)));
    case "share_user": return el("div", { class: "words" }, `${t("share_user")} ${nameOf(content.user_id ?? "")}`);
    default: {
      const more = content.file_name || content.name || content.topic || content.summary?.title || content.text || (typeof content.summary === "string" ? content.summary : "");
      return el("div", { class: "words kind" }, known(message.type) ? t(message.type) : t("unknown", { type: message.type }), more ? ` ${more}` : "");
    }
  }
}

export const fromBot = (message) => isBot(message.sender);
