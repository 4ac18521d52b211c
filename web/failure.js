/** Why there is no answer, and what a person can do about it. */

import { element } from "./dom.js";
import { bytes, duration } from "./format.js";
import { upload as texts } from "./texts.js";

/** `{title, details, label, force}` of a failed *state*: sentences, and what trying again is called and does. */
export function explain(state) {
  const known = texts.failures;
  if (state.why === "lost") {
    return { title: known.lost.title, details: lost(state), label: texts.goOn, force: false };
  }
  if (state.why === "remembered") {
    const detail = known.remembered[state.slug] ?? known.remembered.detail;
    return { title: known.remembered.title, details: [detail], label: texts.insist, force: true };
  }
  if (state.why !== "refused") {
    return { title: known[state.why].title, details: [known[state.why].detail], label: texts.again, force: false };
  }
  const { problem, slug } = state;
  const own = known[slug];
  const title = slug === "unexpected" ? own.title(problem.status) : own?.title ?? problem.title;
  const details = [own?.detail ?? problem.detail];
  if (problem.retry_after) details.push(texts.retryAfter(duration(problem.retry_after)));
  return { title, details, label: texts.again, force: false };
}

/** The failure as it is shown; *again* is called with `{force}`. */
export function failure(state, again) {
  const { title, details, label, force } = explain(state);
  return element(
    "div", { class: "notice failed stack tight" },
    element("h3", {}, title),
    details.map((detail) => element("p", {}, detail)),
    element("p", {}, element("button", { type: "button", on: { click: () => again({ force }) } }, label)),
  );
}

function lost({ sent, total }) {
  const { before, during, after, hint } = texts.failures.lost;
  if (sent === 0) return [before];
  if (sent >= total) return [after];
  return [during(bytes(sent), bytes(total)), hint];
}
