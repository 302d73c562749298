// Elements without markup: whatever people wrote becomes text, never HTML.

export const $ = (id) => document.getElementById(id);

export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === "function") node.addEventListener(name, value);
    else if (name === "class") node.className = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(2).filter((child) => child !== undefined && child !== null && child !== false && child !== ""));
  return node;
}

const NS = "http://www.w3.org/2000/svg";
const SHAPES = {
  back: "M15 5l-7 7 7 7",
  on: "M9 5l7 7-7 7",
  close: "M6 6l12 12M18 6L6 18",
  smile: "M12 3a9 9 0 100 18 9 9 0 000-18M8.500 14.500c1 1.300 2.100 1.900 3.500 1.900s2.500-.6 3.500-1.900M9 9.500v.6M15 9.500v.6",
  reply: "M10 6L4 11.500 10 17v-3.500c4.500-.2 7.500 1 10 4.500-.6-5.500-4-9-10-9.200z",
  topic: "M5 5h14v10h-7l-4.500 4V15H5zM9 9h6M9 11.800h4",
  pin: "M9 4h6l-.7 6 3 3H6.700l3-3zM12 13v7",
  recall: "M5 12a7 7 0 107-7 8 8 0 00-5.500 2.300L5 9M5 4.500V9h4.500",
  attach: "M18.500 11.500l-6.800 6.800a4.200 4.200 0 01-6-6l7.300-7.300a2.800 2.800 0 014 4l-7.200 7.200a1.400 1.400 0 01-2-2l6.600-6.600",
  send: "M4 12l16-8-5.500 16-3-6.500z",
  at: "M15.500 12a3.500 3.500 0 11-7 0 3.500 3.500 0 017 0v1.200c0 2.700 4.500 2.500 4.500-1.200a8 8 0 10-3.200 6.400",
  grow: "M4 10V4h6M20 14v6h-6M4 4l6.500 6.500M20 20l-6.500-6.500",
  shrink: "M10 4v6H4M14 20v-6h6M10 10L4 4M14 14l6 6",
  sun: "M12 8a4 4 0 100 8 4 4 0 000-8M12 3v2M12 19v2M3 12h2M19 12h2M5.600 5.600L7 7M17 17l1.400 1.400M18.400 5.600L17 7M7 17l-1.400 1.400",
  moon: "M19.500 14.500A8 8 0 019.500 4.500a8 8 0 1010 10z",
  auto: "M12 4a8 8 0 100 16zM12 4a8 8 0 010 16",
  file: "M7 3h7l4 4v14H7zM14 3v4h4",
  down: "M6 9.500l6 6 6-6",
  save: "M12 4v11M7 10.500l5 5 5-5M5 19.500h14",
};

export function icon(name) {
  const svg = document.createElementNS(NS, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(NS, "path");
  path.setAttribute("d", SHAPES[name]);
  svg.append(path);
  return svg;
}

export function button(shape, label, click, attributes = {}) {
  return el("button", { type: "button", class: "icon", "aria-label": label, title: label, click, ...attributes }, icon(shape));
}

// Something that opens beside its button, closes with Esc or a press elsewhere, and gives the focus back.
export function popup(opener, panel, opened) {
  const close = (focus = true) => {
    if (panel.hidden) return;
    panel.hidden = true;
    opener.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", elsewhere, true);
    if (focus) opener.focus();
  };
  const elsewhere = (event) => {
    if (!panel.contains(event.target) && !opener.contains(event.target)) close(false);
  };
  opener.addEventListener("click", () => {
    if (!panel.hidden) return close();
    panel.hidden = false;
    opener.setAttribute("aria-expanded", "true");
    document.addEventListener("pointerdown", elsewhere, true);
    opened();
  });
  panel.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    close();
  });
  return close;
}

export function remember(key, value) {
  try {
    if (value === undefined) return localStorage.getItem(`sandbox.${key}`) ?? "";
    localStorage.setItem(`sandbox.${key}`, value);
  } catch {
    // A browser may forbid storage; then nothing is remembered.
  }
  return "";
}
