// Times of the sandbox's world, which is in Shanghai wherever the reader is.

import { locale, t } from "./words.js";

const ZONE = "Asia/Shanghai";
const formats = new Map();

function format(at, options) {
  const key = locale() + JSON.stringify(options);
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat(locale(), { timeZone: ZONE, hourCycle: "h23", ...options }));
  return formats.get(key).format(at);
}

const day = new Intl.DateTimeFormat("en-CA", { timeZone: ZONE });

export const dayOf = (at) => day.format(at);
export const clock = (at) => format(at, { hour: "2-digit", minute: "2-digit" });
export const seconds = (at) => new Date(at).toLocaleTimeString(locale(), { hour12: false });
export const full = (at) => format(at, { dateStyle: "medium", timeStyle: "short" });
export const stamp = (at) => `${dayOf(at)} ${clock(at)}`;

export function dayName(at, now) {
  if (dayOf(at) === dayOf(now)) return t("today");
  if (dayOf(at) === dayOf(now - 86_400_000)) return t("yesterday");
  return format(at, { year: dayOf(at).slice(0, 4) === dayOf(now).slice(0, 4) ? undefined : "numeric", month: "long", day: "numeric", weekday: "short" });
}

export const brief = (at, now) => (dayOf(at) === dayOf(now) ? clock(at) : format(at, { month: "numeric", day: "numeric" }));
