// The Bitable tables as they are now; cells that changed glow for a moment.

import { get } from "./api.js";
import { $, el, icon, remember } from "./dom.js";
import { failed } from "./toast.js";
import { stamp } from "./time.js";
import { number, t } from "./words.js";

const PAGE = 50;
const PAUSE_MS = 400;
const [NUMBER, DATE, CHECKBOX, CREATED, MODIFIED] = [2, 5, 7, 1001, 1002];

export class Tables {
  constructor() {
    this.tables = [];
    this.chosen = remember("table");
    this.offset = 0;
    this.lines = new Map();
    this.columns = "";
    this.revision = -1;
    this.stale = false;
    this.busy = false;
    $("rows-back").append(icon("back"));
    $("rows-on").append(icon("on"));
    $("table").addEventListener("change", () => this.choose($("table").value));
    $("rows-back").addEventListener("click", () => this.turn(-PAGE));
    $("rows-on").addEventListener("click", () => this.turn(PAGE));
    $("rows-latest").addEventListener("change", () => {
      this.latest = $("rows-latest").checked;
      this.turn(-this.offset);
    });
  }

  get table() {
    return this.tables.find((table) => table.id === this.chosen) ?? this.tables[0];
  }

  take(tables) {
    this.tables = tables;
    this.drawChoice();
    if (!this.table) return this.drawEmpty();
    if (this.table.revision !== this.revision) this.refresh();
  }

  choose(id) {
    this.chosen = id;
    remember("table", id);
    this.latest = undefined;
    this.revision = -1;
    this.columns = "";
    this.turn(-this.offset);
  }

  turn(by) {
    this.offset = Math.max(0, this.offset + by);
    this.lines.clear();
    this.turned = true;
    $("rows").scrollTop = 0;
    this.refresh();
  }

  // Asks at most every PAUSE_MS, and once more when something changed meanwhile.
  async refresh() {
    if (this.busy) {
      this.stale = true;
      return;
    }
    this.busy = true;
    this.stale = false;
    const { table, offset } = this;
    try {
      const latest = this.latest ?? table.records > PAGE;
      const page = await get(`tables/${table.app_token}/${table.id}/rows?offset=${offset}&limit=${PAGE}&latest=${Number(latest)}`);
      if (table.id !== this.table?.id || offset !== this.offset) this.stale = true;
      else {
        this.revision = page.revision;
        this.page = page;
        $("rows-latest").checked = latest;
        this.drawRows();
      }
    } catch (error) {
      if (error.status !== 400) failed(error);
    }
    setTimeout(() => {
      this.busy = false;
      if (this.stale) this.refresh();
    }, PAUSE_MS);
  }

  draw() {
    this.drawChoice();
    if (this.page) this.drawRows();
    else this.drawEmpty();
  }

  drawChoice() {
    const { table } = this;
    $("table").hidden = !table;
    const options = this.tables.map(({ id, name, records }) => el("option", { value: id, selected: id === table?.id }, `${name} (${number(records)})`));
    if (document.activeElement !== $("table")) $("table").replaceChildren(...options);
  }

  drawEmpty() {
    this.columns = "";
    $("rows").replaceChildren(el("p", { class: "empty" }, t("no_tables")));
  }

  drawRows() {
    const { fields, rows, total } = this.page;
    $("rows-where").textContent = total ? t("rows", { from: number(this.offset + 1), to: number(this.offset + rows.length), total: number(total) }) : t("no_rows");
    $("rows-back").disabled = this.offset === 0;
    $("rows-on").disabled = this.offset + rows.length >= total;
    if (!rows.length && this.offset) return void this.turn(-this.offset);
    const columns = JSON.stringify(fields.map(({ name, type }) => [name, type]));
    if (columns !== this.columns) this.drawHead(columns, fields);
    this.lines = new Map(rows.map(({ id, cells }) => [id, this.line(id, cells, fields)]));
    this.turned = false;
    const nodes = [...this.lines.values()].map(({ node }) => node);
    // What stays where it is goes on glowing.
    if (nodes.length !== this.body.children.length || nodes.some((node, place) => node !== this.body.children[place])) this.body.replaceChildren(...nodes);
    this.none.textContent = rows.length ? "" : t("no_rows");
    this.none.hidden = rows.length > 0;
    return undefined;
  }

  drawHead(columns, fields) {
    this.columns = columns;
    this.lines.clear();
    this.turned = true;
    this.body = el("tbody", { animationend: (event) => event.target.classList.remove("changed") });
    this.none = el("p", { class: "empty" });
    const head = el("tr", {}, fields.map((field) => el("th", { scope: "col", class: field.type === NUMBER ? "number" : null }, field.name)));
    $("rows").replaceChildren(el("table", {}, el("thead", {}, head), this.body), this.none);
  }

  // The row of a record; only the cells that are different are made again.
  line(id, cells, fields) {
    const known = this.lines.get(id);
    const line = known ?? { node: el("tr", { class: this.turned ? null : "changed" }), shown: [] };
    line.node.dataset.id = id;
    fields.forEach((field, place) => {
      const shown = JSON.stringify(cells[field.name] ?? null);
      if (line.shown[place] === shown) return;
      line.shown[place] = shown;
      const made = el("td", { class: field.type === NUMBER ? "number" : null }, cell(cells[field.name], field));
      if (known) made.classList.add("changed");
      if (line.node.children[place]) line.node.children[place].replaceWith(made);
      else line.node.append(made);
    });
    return line;
  }
}

function cell(value, field) {
  if (value === undefined || value === null) return "";
  if ([DATE, CREATED, MODIFIED].includes(field.type)) return stamp(value);
  if (field.type === CHECKBOX) return value ? "☑" : "☐";
  if (field.type === NUMBER) return numeric(value, field.property?.formatter ?? "");
  if (Array.isArray(value)) return value.map((each) => part(each, field));
  if (typeof value === "object") return part(value, field);
  return field.type === 3 ? el("span", { class: "tag" }, value) : String(value);
}

function numeric(value, formatter) {
  const places = (formatter.match(/0\.(0+)/)?.[1] ?? "").length;
  const shown = formatter.includes("%") ? value * 100 : value;
  return formatter ? shown.toFixed(places) + (formatter.includes("%") ? "%" : "") : String(value);
}

function part(each, field) {
  if (typeof each !== "object" || each === null) return el("span", { class: "tag" }, String(each));
  if (each.link && /^https?:/.test(each.link)) return el("a", { href: each.link, target: "_blank", rel: "noopener noreferrer" }, each.text || each.link);
  if (field.type === 11) return el("span", { class: "person" }, each.name || each.id || "");
  if (each.file_token) return el("span", { class: "tag" }, each.name || each.file_token);
  return each.text ?? each.name ?? each.link ?? JSON.stringify(each);
}
