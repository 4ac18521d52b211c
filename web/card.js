/** One analysis as a card: what it is about, how far it is, and in the end its answer or why there is none. */

import { element } from "./dom.js";
import { failure } from "./failure.js";
import { bytes, duration } from "./format.js";
import { preview } from "./preview.js";
import { upload as texts } from "./texts.js";
import { verdict } from "./verdict.js";

/** What a content is called. */
export function nameOf({ name }) {
  return name ?? texts.pasted;
}

export class Card {
  #analysis;
  #again;
  #body = element("div", { class: "card-body" });
  #preview;
  #progress = null;

  /** For *analysis*; *again* is called with `{force}` when somebody wants another try. */
  constructor(analysis, again) {
    this.#analysis = analysis;
    this.#again = again;
    this.#preview = preview(analysis);
    this.element = element(
      "article", { class: "analysis" },
      this.#preview.frame,
      element(
        "div", { class: "stack" },
        element(
          "header", {},
          element("h2", { class: "name" }, nameOf(analysis)),
          element("p", { class: "soft small" }, bytes(analysis.content.size)),
        ),
        this.#body,
      ),
    );
    this.show();
  }

  /** Show the present state. */
  show() {
    const { state } = this.#analysis;
    if (state.at === "uploading" && this.#progress !== null) {
      this.#progress(state);
      return;
    }
    this.#progress = null;
    this.#body.replaceChildren(this.#shown(state));
  }

  /** Give back what the browser holds for it. */
  close() {
    this.#preview.close();
  }

  #shown(state) {
    if (state.at === "done") return verdict(this.#analysis);
    if (state.at === "failed") return failure(state, this.#again);
    if (state.at === "cancelled") return this.#cancelled();
    return this.#working(state);
  }

  #working(state) {
    const label = element("p", { class: "number" }, texts.states[state.at]);
    const bar = element("progress", { "aria-label": texts.progressName(nameOf(this.#analysis)) });
    const far = element("p", { class: "small soft number" });
    if (state.at === "uploading") {
      this.#progress = ({ sent, total, speed, left }) => {
        bar.max = total;
        bar.value = sent;
        far.textContent = texts.progress(bytes(sent), bytes(total), speed && bytes(speed), left && duration(left));
      };
      this.#progress(state);
    }
    const { obstacle, digest } = this.#analysis;
    return element(
      "div", { class: "working stack tight" },
      element(
        "div", { class: "row" },
        label,
        element("button", { type: "button", class: "push", on: { click: () => this.#analysis.cancel() } }, texts.cancel),
      ),
      bar,
      far,
      obstacle && digest === null && element("p", { class: "small soft" }, texts.obstacle[obstacle]),
    );
  }

  #cancelled() {
    return element(
      "div", { class: "notice stack tight" },
      element("p", {}, texts.cancelled),
      element("p", {}, element("button", { type: "button", on: { click: () => this.#again({ force: false }) } }, texts.again)),
    );
  }
}
