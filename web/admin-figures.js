/** What the dashboard shows of one answer of /api/admin/overview. */

import { histogram, meter, pairs, shareAndColumns, short, swatch } from "./admin-charts.js";
import { others } from "./admin-clear.js";
import * as texts from "./admin-texts.js";
import { byId, element } from "./dom.js";
import { bytes, count, dollars, instant } from "./format.js";

const clock = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const KINDS = ["image", "video", "text"];
/** What is compared with what is there, so that only what has changed is drawn anew and nothing flickers. */
const drawn = new Map();

/** Show *seen*; *lately* is `{hits, misses}` of the last minute, *span* "hour" or "day". */
export function show(seen, lately, span) {
  const width = byId("dashboard").clientWidth;
  byId("environment").textContent = seen.environment;
  part("alerts", [seen.alerts], showAlerts);
  part("tiles", [seen.cache, seen.spend, lately], () => showTiles(seen, lately));
  part("rate", [seen.series[span], span, width], (place) => showRate(place, seen.series[span], span));
  part("kinds", [outcomes(seen.cache), seen.cache.by_kind, seen.cache.memory.keys, seen.store.bytes], (place) => showKinds(place, seen));
  part("causes", [seen.cache.misses_by_cause], showCauses);
  part("projection", [seen.spend?.projection], showProjection);
  part("days", [seen.spend?.by_day, width], (place) => showDays(place, seen.spend));
  part("providers", [seen.spend?.by_provider], showProviders);
  part("budgets", [seen.spend?.budgets, seen.thresholds.budget], showBudgets);
  part("latency", [seen.latency, width], (place) => showLatency(place, seen.latency));
  part("store", [seen.store, seen.thresholds, seen.cache.memory, seen.cache.commands, seen.plan], (place) => showStore(place, seen));
  part("fleet", [seen.processes, seen.spend?.breakers], (place) => showFleet(place, seen));
  part("clearing", [others(seen.clearing)], showClearing);
}

/** Fill the place with this id by *fill*(place, ...of), when *of* is not what it was. */
function part(id, of, fill) {
  const now = JSON.stringify(of);
  if (drawn.get(id) === now) return;
  drawn.set(id, now);
  const place = byId(id);
  const made = fill(place, ...of);
  place.replaceChildren(...[made].flat().filter(Boolean));
}

function showAlerts(place, alerts) {
  const said = texts.alerts.said(alerts.length);
  if (byId("alerts-said").textContent !== said) byId("alerts-said").textContent = said;
  return alerts.map((one) => element(
    "div", { class: `notice alert level-${one.level}` },
    element("span", { class: `badge level-${one.level}` }, texts.alerts.levels[one.level]),
    element("strong", {}, one.title),
    element("p", {}, one.detail),
    element("p", { class: "soft" }, one.advice),
  ));
}

function showTiles({ cache, series, spend }, lately) {
  const hour = { hits: sum(series.hour.hits), misses: sum(series.hour.misses) };
  const recent = share(hour.hits, hour.misses), now = share(lately.hits, lately.misses);
  const projection = spend?.projection;
  return [
    tile(texts.tiles.rate, recent ?? texts.tiles.rateNone, [
      texts.tiles.rateNow(now),
      texts.tiles.rateEver(share(cache.hits, cache.misses)),
    ]),
    tile(texts.tiles.requests, count(cache.total_requests), [
      texts.tiles.requestsMore(count(cache.hits), count(cache.misses)),
    ], { id: "total" }),
    tile(texts.tiles.saved, spend ? cents(spend.saved_usd) : "–", [
      spend && texts.tiles.savedMore(count(spend.hits + spend.collapsed)),
    ], { kind: spend && Number(spend.saved_usd) > 0 ? "saved" : "" }),
    tile(texts.tiles.spent, spend ? cents(spend.spent_usd) : "–", [
      spend && texts.tiles.spentMore(count(spend.calls.sent), Number(spend.wasted_usd) > 0 && cents(spend.wasted_usd)),
    ]),
    tile(texts.tiles.net, projection ? cents(projection.net_usd) : "–", [
      projection ? texts.tiles.netMore : texts.tiles.netNone,
    ], { kind: projection && Number(projection.net_usd) !== 0 ? (projection.pays ? "saved" : "failed") : "" }),
  ];
}

function tile(title, value, more, { kind = "", id = null } = {}) {
  return element(
    "dl", { class: "card tile" },
    element("dt", {}, title),
    element("dd", { class: `big ${kind}`, id }, value),
    element("dd", {}, more.filter(Boolean).flatMap((line, at) => (at ? [element("br"), line] : [line]))),
  );
}

function showRate(place, series, span) {
  const from = Date.parse(series.from), labels = series.hits.map((_, at) => clock.format(from + at * series.step_seconds * 1000));
  const drawing = shareAndColumns(place, {
    good: series.hits,
    rest: series.misses,
    labels,
    titles: labels.map((time, at) =>
      texts.rate.column(time, count(series.hits[at]), count(series.misses[at]), share(series.hits[at], series.misses[at]))),
    name: texts.rate.summary(
      texts.rate.spans[span], count(sum(series.hits)), count(sum(series.misses)), share(sum(series.hits), sum(series.misses)),
    ),
  });
  return [drawing, legend([["fill-saved", texts.rate.hits], ["fill-edge", texts.rate.misses]])];
}

function legend(rows) {
  return element("ul", { class: "legend" }, rows.map(([kind, text]) => element("li", {}, swatch(kind), text)));
}

function showKinds(place, { cache, store }) {
  const rows = KINDS.map((kind) => {
    const { hits, misses } = cache.by_kind[kind];
    const size = store.bytes?.[kind];
    return [texts.kinds.names[kind], count(hits), count(misses), share(hits, misses) ?? "–",
      known(cache.memory.keys[kind], count), known(size, bytes)];
  });
  return [
    table(texts.kinds.caption, texts.kinds.columns, rows),
    element("dl", { class: "outcomes" }, outcomes(cache).map(([name, many]) =>
      element("div", {}, element("dt", {}, name), element("dd", { class: "number" }, count(many))))),
  ];
}

function outcomes(cache) {
  return Object.entries(texts.kinds.outcomes).map(([name, text]) => [text, cache[name]]);
}

function showCauses(place, causes) {
  const all = sum(Object.values(causes));
  if (all === 0) return element("p", { class: "soft" }, texts.causes.none);
  const rows = Object.entries(causes).sort(([, one], [, other]) => other - one);
  return element("dl", { class: "bars" }, rows.flatMap(([cause, many]) => {
    const name = texts.causes.names[cause] ?? cause;
    return [
      element("dt", {}, name),
      element("dd", {}, meter(many / all, { kind: "fill-edge", name: `${name}: ${percent(many / all)}` })),
      element("dd", { class: "number" }, count(many)),
    ];
  }));
}

function showProjection(place, projection) {
  return projection ? projection.sentence : texts.tiles.netNone + ".";
}

function showDays(place, spend) {
  if (!spend) return element("p", { class: "soft" }, texts.money.away);
  const found = new Map(spend.by_day.map((day) => [day.day, day]));
  const days = Array.from({ length: 30 }, (_, at) =>
    new Date(Date.parse(spend.until) - (29 - at) * 86_400_000).toISOString().slice(0, 10));
  const saved = days.map((day) => Number(found.get(day)?.saved_usd ?? 0));
  const spent = days.map((day) => Number(found.get(day)?.spent_usd ?? 0));
  if (sum(saved) + sum(spent) === 0) return element("p", { class: "soft" }, texts.money.nothing);
  const drawing = pairs(place, {
    first: saved,
    second: spent,
    labels: days.map((day) => day.slice(5)),
    titles: days.map((day, at) => texts.money.day(day, cents(String(saved[at])), cents(String(spent[at])))),
    name: texts.money.summary(cents(spend.saved_usd), cents(spend.spent_usd)),
    unit: (amount) => `$${short(amount)}`,
  });
  return [drawing, legend([["fill-saved", texts.money.saved], ["fill-edge", texts.money.spent]])];
}

function showProviders(place, providers) {
  const rows = Object.entries(providers ?? {}).map(([name, one]) =>
    [name, count(one.calls.sent), dollars(one.spent_usd), dollars(one.saved_usd), dollars(one.wasted_usd)]);
  return rows.length > 0 && table(texts.money.caption, texts.money.columns, rows);
}

function showBudgets(place, budgets, threshold) {
  return (budgets ?? []).map((one) => {
    const part = Number(one.limit_usd) > 0 ? Number(one.used_usd) / Number(one.limit_usd) : 1;
    return gauge(texts.money.budget(one.scope, one.period), texts.money.used(dollars(one.used_usd), dollars(one.limit_usd)),
      part, [threshold / 100]);
  });
}

/** A line with a meter; amber over the first of *thresholds*, red over the last of several. */
function gauge(name, value, part, thresholds = []) {
  const passed = thresholds.filter((one) => part > one).length;
  const kind = passed === 0 ? "fill-act" : passed === thresholds.length && passed > 1 ? "fill-failed" : "fill-found";
  return element(
    "div", { class: "meter" },
    element("p", {}, element("span", { class: "soft" }, name), element("span", { class: "number" }, `${value} · ${percent(part)}`)),
    meter(part, { thresholds, kind, name: `${name}: ${percent(part)}` }),
  );
}

function showLatency(place, { bounds_ms: bounds, levels }) {
  const labels = [...bounds.map((one) => texts.latency.within(one)), texts.latency.longer(bounds.at(-1))];
  place.replaceChildren(...Object.keys(texts.latency.levels).map(() => element("div")));
  return Object.entries(texts.latency.levels).map(([level, name], at) => {
    const { counts, p50, p95, p99 } = levels[level];
    const many = sum(counts), column = place.children[at];
    if (many === 0) return element("div", {}, element("h3", {}, name), element("p", { class: "soft" }, texts.latency.none));
    const titles = counts.map((one, index) => texts.latency.bucket(labels[index], count(one)));
    return element(
      "div", {},
      element("h3", {}, name),
      histogram(column, {
        counts, labels, titles,
        marks: [p50, p95].map((one) => bounds.indexOf(one)),
        name: texts.latency.summary(name, count(many), texts.latency.within(p50), texts.latency.within(p95)),
      }),
      element("dl", { class: "number" }, [["p50", p50], ["p95", p95], ["p99", p99]].map(([title, value]) =>
        element("div", {}, element("dt", {}, title), element("dd", {}, `≤ ${texts.latency.within(value)}`)))),
    );
  });
}

function showStore(place, { cache, store, plan, thresholds }) {
  const { used, max, evicted } = cache.memory;
  const { month, per_request: perRequest } = cache.commands;
  const ends = plan.limit && (plan.runs_out ? texts.store.runsOut(plan.runs_out) : texts.store.lasts);
  return [
    element("p", {},
      element("span", { class: `badge ${store.status === "degraded" ? "level-critical" : ""}` }, texts.store.states[store.status]), " ",
      element("span", { class: "mono" }, store.where), store.reason && ` (${store.reason})`),
    max && gauge(texts.store.memory, texts.store.memoryOf(bytes(used), bytes(max)), used / max,
      thresholds.memory.map((one) => one / 100)),
    store.most_connections && gauge(texts.store.connections,
      texts.store.of(count(store.connections), count(store.most_connections)), store.connections / store.most_connections,
      [thresholds.connections / 100]),
    plan.limit && gauge(texts.store.commands, texts.store.commandsOf(count(plan.commands ?? 0), count(plan.limit)),
      (plan.commands ?? 0) / plan.limit),
    facts([
      !max && [texts.store.memory, used === null ? texts.store.unknown : texts.store.memoryOf(bytes(used), null)],
      month !== null && [texts.store.commands, [count(month), ends].filter(Boolean).join(", ")],
      perRequest !== null && [texts.store.perRequest, String(perRequest)],
      store.p95_ms !== null && [texts.store.p95, `${store.p95_ms} ms`],
      evicted !== null && [texts.store.evicted, texts.store.evictedOf(count(store.evicted_last_hour ?? 0), count(evicted))],
    ]),
  ];
}

function showFleet(place, { processes, spend }) {
  const open = (spend?.breakers ?? []).map((one) =>
    one.state === "open" ? texts.fleet.open(one.provider, one.reason, clock.format(Date.parse(one.until)))
      : one.state === "half-open" ? texts.fleet.halfOpen(one.provider)
        : texts.fleet.failing(one.provider, one.failures));
  const rows = (processes ?? []).map((one) =>
    [element("span", { class: "mono" }, `${one.id} (${one.pid})`), one.host, one.version,
      instant(Date.parse(one.started_at)), clock.format(Date.parse(one.seen_at))]);
  return [
    processes === null
      ? element("p", { class: "soft" }, texts.fleet.unknown)
      : element("div", { class: "table", tabindex: "0", role: "region", "aria-label": texts.fleet.caption },
        table(texts.fleet.caption, texts.fleet.columns, rows, { numbers: 5 })),
    element("div", { class: "stack tight" }, element("h3", {}, texts.fleet.breakers),
      open.length > 0
        ? element("ul", {}, open.map((line) => element("li", {}, line)))
        : element("p", { class: "soft" }, texts.fleet.fine)),
  ];
}

function showClearing(place, clearing) {
  return clearing.map((one) => element(
    "div", { class: "notice" },
    element("p", { class: "small" }, texts.clear.progress(one.selector, count(one.deleted), clock.format(Date.parse(one.at)))),
    element("progress", { "aria-label": texts.clear.bar(one.selector) }),
  ));
}

/** A table; the cells from column *numbers* on are numbers. */
export function table(caption, columns, rows, { numbers = 1 } = {}) {
  const kind = (at) => (at >= numbers ? "number" : null);
  return element(
    "table", {},
    element("caption", { class: "unseen" }, caption),
    element("thead", {}, element("tr", {}, columns.map((name, at) => element("th", { scope: "col", class: kind(at) }, name)))),
    element("tbody", {}, rows.map((row) => element("tr", {}, row.map((cell, at) =>
      (at === 0 ? element("th", { scope: "row" }, cell) : element("td", { class: kind(at) }, cell)))))),
  );
}

/** Names with values; rows that are false are left out. */
export function facts(rows) {
  const found = rows.filter(Boolean);
  return found.length > 0 && element("dl", { class: "facts" }, found.flatMap(([name, value]) =>
    [element("dt", {}, name), element("dd", {}, value)]));
}

function sum(numbers) {
  return numbers.reduce((all, one) => all + one, 0);
}

/** The share of *hits* in words; null where there is nothing to share. */
export function share(hits, misses) {
  return hits + misses === 0 ? null : percent(hits / (hits + misses));
}

function percent(part) {
  return `${new Intl.NumberFormat("en", { maximumFractionDigits: 1 }).format(part * 100)} %`;
}

function known(value, format) {
  return value === null || value === undefined ? "–" : format(value);
}

/** Dollars to the cent; a small amount as it is, lest it read as nothing. */
function cents(amount) {
  const number = Number(amount);
  return number !== 0 && Math.abs(number) < 0.01
    ? dollars(amount)
    : new Intl.NumberFormat("en", { style: "currency", currency: "USD" }).format(number);
}

