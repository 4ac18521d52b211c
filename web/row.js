/** One of several analyses: a line of a table, which opens its card. */

import { nameOf } from "./card.js";
import { element } from "./dom.js";
import { explain } from "./failure.js";
import { percent } from "./format.js";
import { upload as texts } from "./texts.js";
import { moneyBadge, routeOf, verdictOf } from "./verdict.js";

let rows = 0;

export class Row {
  #analysis;
  #button;
  #finding = element("td", { class: "state" });
  #route = element("td", { class: "route soft small" });
  #money = element("td", { class: "money" });
  #opened;

  /** For *analysis*, whose *card* it opens. */
  constructor(analysis, card) {
    this.#analysis = analysis;
    const id = `opened-${rows += 1}`;
    this.#button = element(
      "button",
      { type: "button", class: "open", "aria-expanded": "false", "aria-controls": id, on: { click: () => this.toggle() } },
      element("span", { class: "mark", "aria-hidden": "true" }),
      element("span", { class: "clip", title: nameOf(analysis) }, nameOf(analysis)),
    );
    this.#opened = element("tr", { id, class: "opened", hidden: true }, element("td", { colspan: 4 }, card.element));
    this.elements = [
      element("tr", {}, element("th", { scope: "row" }, this.#button), this.#finding, this.#route, this.#money),
      this.#opened,
    ];
    this.show();
  }

  /** Open the card, or close it. */
  toggle() {
    this.#opened.hidden = !this.#opened.hidden;
    this.#button.setAttribute("aria-expanded", String(!this.#opened.hidden));
  }

  /** Show the present state. */
  show() {
    const { state } = this.#analysis;
    if (state.at !== "done") {
      const failed = state.at === "failed";
      const far = state.at === "uploading" && state.total ? ` ${percent(state.sent / state.total)}` : "";
      const said = element("span", { class: failed ? "badge failed" : "soft small number" }, `${texts.short[state.at]}${far}`);
      this.#finding.replaceChildren(said);
      this.#route.textContent = failed ? explain(state).title : "";
      this.#money.replaceChildren();
      return;
    }
    const { short, meaning } = verdictOf(state.answer.result);
    this.#finding.replaceChildren(element("span", { class: `badge ${meaning}` }, short));
    this.#route.textContent = texts.shortRoute[routeOf(state)];
    this.#money.replaceChildren(moneyBadge(state.answer) ?? "");
  }
}
