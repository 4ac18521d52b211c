/** Entries: found, opened, forgotten. */

import { ask, told } from "./admin-api.js";
import { facts, table } from "./admin-figures.js";
import * as texts from "./admin-texts.js";
import { machineText } from "./copy.js";
import { byId, element } from "./dom.js";
import { away, bytes, count, dollars, instant } from "./format.js";

const ENTRIES = "/api/admin/cache/entries";
const DIGEST = /^[0-9a-f]{64}$/;
let rows = [];
let query = {};

/** Make the search work. */
export function listen() {
  byId("search").addEventListener("submit", (event) => {
    event.preventDefault();
    search();
  });
  byId("entries-more").addEventListener("click", () => load(query.cursor));
  byId("entry-close").addEventListener("click", () => byId("entry-dialog").close());
}

/** Search anew for what the form says. A digest is looked up rather than searched, and opened. */
export async function search() {
  const pattern = byId("search-pattern").value.trim();
  if (DIGEST.test(pattern.toLowerCase())) {
    await open(pattern.toLowerCase());
    return;
  }
  rows = [];
  query = { pattern: wide(pattern), kind: byId("search-kind").value };
  await load("");
}

/** What a person types is a beginning, unless he says otherwise. */
function wide(pattern) {
  return pattern === "" || pattern.includes("*") || pattern.split(":").length > 2 ? pattern : `*${pattern}*`;
}

async function load(cursor) {
  try {
    // A page may be short where few of many are meant: on, until there is something to see.
    let page = { cursor };
    for (let at = 0; at < 5 && page.cursor !== null && (at === 0 || page.entries.length === 0); at += 1) {
      const words = new URLSearchParams({ pattern: query.pattern, kind: query.kind, cursor: page.cursor });
      page = await ask(`${ENTRIES}?${words}`);
    }
    const seen = new Set(rows.map((row) => row.key));
    rows.push(...page.entries.filter((row) => !seen.has(row.key)));
    query.cursor = page.cursor;
    show();
  } catch (error) {
    byId("entries-said").textContent = told(error, texts);
  }
}

function show() {
  const more = query.cursor !== null;
  byId("entries-more").hidden = !more;
  byId("entries-said").textContent = texts.entries.found(rows.length, more);
  byId("entries").replaceChildren(...(rows.length === 0 ? [] : [table(texts.entries.caption, texts.entries.columns, rows.map((row) => [
    element("button", { type: "button", class: "plain small", title: row.key, "aria-label": texts.entries.open(row.key),
      on: { click: () => open(row.key) } }, brief(row.key)),
    row.kind, row.tenant, row.provider,
    away(Date.parse(row.created)), away(Date.parse(row.expires)),
    dollars(row.cost_usd), row.hits === null ? "–" : count(row.hits), bytes(row.stored_bytes),
  ]), { numbers: 6 })]));
}

function brief(key) {
  return key.replace(/([0-9a-f]{12})[0-9a-f]{52}:([0-9a-f]{6})[0-9a-f]*$/, "$1…:$2…");
}

async function open(name) {
  try {
    const { entries } = await ask(`${ENTRIES}/${encodeURIComponent(name)}`);
    byId("entry").replaceChildren(...entries.map(describe));
    byId("entries-said").textContent = "";
    byId("entry-dialog").showModal();
  } catch (error) {
    byId("entries-said").textContent = told(error, texts);
  }
}

function describe(entry) {
  const names = texts.entries.facts;
  const said = [entry.provider, entry.model !== entry.provider && entry.model, entry.model_version].filter(Boolean).join(", ");
  const outcome = element("p", { class: "small", role: "status" });
  const forget = element("button", { type: "button", class: "danger" }, texts.entries.forget);
  forget.addEventListener("click", async () => {
    if (forget.dataset.sure === undefined) {
      forget.dataset.sure = "";
      forget.textContent = texts.entries.yes;
      outcome.textContent = texts.entries.sure;
      return;
    }
    try {
      await ask(`${ENTRIES}/${encodeURIComponent(entry.key)}`, { method: "DELETE" });
      forget.hidden = true;
      outcome.textContent = texts.entries.forgotten;
      rows = rows.filter((row) => row.key !== entry.key);
      show();
    } catch (error) {
      outcome.textContent = told(error, texts);
    }
  });
  return element(
    "section", { class: "stack" },
    facts([
      [names.key, element("span", { class: "mono" }, entry.key)],
      [names.kind, entry.kind],
      [names.tenant, entry.tenant],
      [names.said, said],
      entry.analysed_at && [names.analysed_at, instant(Date.parse(entry.analysed_at))],
      [names.age, away(Date.parse(entry.created))],
      [names.expires, `${away(Date.parse(entry.expires))}, ${instant(Date.parse(entry.expires))}`],
      [names.cost, dollars(entry.cost_usd)],
      [names.hits, entry.hits === null ? texts.entries.unknownHits : count(entry.hits)],
      [names.answer_bytes, bytes(entry.answer_bytes)],
      entry.tags.length > 0 && [names.tags, entry.tags.join(", ")],
      entry.error && [names.error, entry.error],
    ]),
    entry.result !== null && machineText(texts.entries.json, () => JSON.stringify(entry.result, null, 2)),
    element("div", { class: "row" }, forget, outcome),
  );
}
