/** An answer, readable by a person: what was found, how sure, on what evidence, who said it and when, what it cost. */

import { copyButton, machineText } from "./copy.js";
import { curl } from "./curl.js";
import { element } from "./dom.js";
import { away, bytes, dollars, instant, percent } from "./format.js";
import { upload as texts } from "./texts.js";

/** The provider that costs nothing: it is part of the server, and all that one without an account has. */
const EMBEDDED = "provenance";

/** What a verdict is called; also one of a newer server, which this page does not know. */
export function verdictOf(result) {
  return texts.verdicts[result.verdict] ?? texts.unknownVerdict(result.verdict);
}

/** How the answer came: "spared" the upload, "cachedAfterUpload" or "bought". */
export function routeOf({ answer, uploaded }) {
  if (!answer.cached) return "bought";
  return uploaded ? "cachedAfterUpload" : "spared";
}

/** The money of an answer, as a badge; null when none was moved. */
export function moneyBadge({ cost }) {
  if (positive(cost.saved_usd)) return element("span", { class: "badge saved" }, texts.savedBadge(dollars(cost.saved_usd)));
  if (positive(cost.spent_usd)) return element("span", { class: "badge" }, texts.spentBadge(dollars(cost.spent_usd)));
  return null;
}

/** The answer to *analysis*, which is done. */
export function verdict(analysis) {
  const { answer, until } = analysis.state;
  const { result } = answer;
  return element(
    "div", { class: "verdict stack" },
    finding(result, analysis),
    evidenceOf(result.evidence),
    facts(analysis, result, answer, until),
    element(
      "div", { class: "stack tight" },
      machineText(texts.curl, () => curl(analysis), { wrap: true }),
      machineText(texts.json, () => JSON.stringify(answer, null, 2)),
    ),
  );
}

function finding(result, analysis) {
  const { title, meaning, caveat } = verdictOf(result);
  const route = routeOf(analysis.state);
  return element(
    "div", { class: `finding stack tight ${meaning}` },
    element("h3", {}, title),
    element(
      "p", { class: "row" },
      element("span", { class: `badge ${meaning}` }, texts.confidence[result.confidence] ?? result.confidence),
      element("span", { class: route === "spared" ? "badge saved" : "badge" }, texts.route[route](bytes(analysis.content.size))),
      moneyBadge(analysis.state.answer),
    ),
    score(result.score_ai),
    element("p", { class: "soft" }, caveat),
  );
}

/** The score on its scale: a number alone looks surer than it is. The scale is for the eye, its sentence for everybody. */
function score(value) {
  if (value === null) return null;
  return element(
    "div", { class: "score" },
    element("p", { class: "small" }, texts.score(percent(value))),
    element("progress", { max: 1, value, "aria-hidden": "true" }),
    element("p", { class: "ends small soft", "aria-hidden": "true" }, texts.scoreEnds.map((end) => element("span", {}, end))),
  );
}

function evidenceOf(evidence) {
  if (evidence.length === 0) return element("p", { class: "soft" }, texts.noEvidence);
  return element(
    "section", { class: "stack tight" },
    element("h4", {}, texts.evidence(evidence.length)),
    element("ol", { class: "evidence" }, evidence.map(piece)),
  );
}

function piece({ where, value, strength, verified, explanation }) {
  const source = texts.where(where, value);
  return element(
    "li", {},
    element("p", {}, explanation),
    element(
      "p", { class: "row small soft" },
      element("span", { class: "badge" }, texts.strength[strength] ?? strength),
      element("span", { class: verified ? "badge camera" : "" }, verified ? texts.verified : texts.unverified),
      source && element("span", { class: "mono" }, source),
    ),
  );
}

function facts(analysis, result, { cached, cost, sha256 }, until) {
  const analysed = new Date(result.analysed_at);
  const digest = element("code", {}, sha256);
  return element(
    "dl", { class: "facts" },
    fact(texts.facts.said, texts.model(result.provider, result.model, result.model_version)),
    fact(texts.facts.when, element("time", { datetime: result.analysed_at }, `${instant(analysed)} (${away(analysed)})`)),
    fact(texts.facts.cost, paid(cached, cost, result.provider)),
    fact(texts.facts.cache, kept(cached, until)),
    fact(texts.facts.digest, digest, " ", copyButton(() => sha256, digest)),
  );
}

function fact(name, ...value) {
  return [element("dt", {}, name), element("dd", {}, ...value)];
}

function paid(cached, { spent_usd: spent, saved_usd: saved }, provider) {
  if (provider === EMBEDDED) return texts.cost.embedded;
  if (positive(saved)) return (cached ? texts.cost.savedByCache : texts.cost.savedByJoining)(dollars(saved));
  return positive(spent) ? texts.cost.spent(dollars(spent)) : texts.cost.nothing;
}

function kept(cached, until) {
  if (until === null) return texts.cache.notKept;
  return (cached ? texts.cache.from : texts.cache.kept)(instant(until), away(until));
}

function positive(amount) {
  return Number(amount) > 0;
}
