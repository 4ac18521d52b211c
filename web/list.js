/** All analyses of this visit: one is shown as its card, several as a table. */

import { Card, nameOf } from "./card.js";
import { byId, element } from "./dom.js";
import { explain } from "./failure.js";
import { bytes, dollars } from "./format.js";
import { enqueue } from "./queue.js";
import { Row } from "./row.js";
import { upload as texts } from "./texts.js";
import { verdictOf } from "./verdict.js";

export class List {
  #entries = [];
  #body = null;

  /** Take *analyses* up, in this order. */
  add(analyses) {
    for (const analysis of analyses) {
      const card = new Card(analysis, ({ force }) => {
        analysis.again({ force });
        enqueue(analysis);
      });
      const entry = { analysis, card, row: null };
      this.#entries.push(entry);
      analysis.addEventListener("change", () => this.#changed(entry));
    }
    this.#arrange();
    byId("results").hidden = false;
    bringIntoView(byId("results"));
    analyses.forEach(enqueue);
  }

  /** Stop everything and forget it. */
  clear() {
    for (const { analysis, card } of this.#entries.splice(0)) {
      analysis.cancel();
      card.close();
    }
    this.#body = null;
    byId("list").replaceChildren();
    byId("results").hidden = true;
  }

  #arrange() {
    const place = byId("list");
    if (this.#entries.length === 1) {
      place.className = "card";
      place.replaceChildren(this.#entries[0].card.element);
    } else {
      if (this.#body === null) {
        this.#body = element("tbody");
        place.className = "card table";
        place.replaceChildren(table(this.#body));
      }
      for (const entry of this.#entries.filter(({ row }) => row === null)) {
        entry.row = new Row(entry.analysis, entry.card);
        this.#body.append(...entry.row.elements);
      }
    }
    this.#sum();
  }

  #changed(entry) {
    if (!this.#entries.includes(entry)) return;
    entry.card.show();
    entry.row?.show();
    if (entry.analysis.state.at !== "uploading") this.#sum();
    this.#say(entry.analysis);
  }

  /** What a screen reader hears: each step of one, of several only how many are answered. */
  #say(analysis) {
    const { state } = analysis;
    const live = byId("live");
    if (this.#entries.length > 1) {
      if (analysis.ended) live.textContent = texts.allSaid(this.#done().length, this.#entries.length);
    } else if (state.at === "done") {
      live.textContent = texts.said(nameOf(analysis), verdictOf(state.answer.result).title);
    } else {
      const what = state.at === "failed" ? explain(state).title : texts.states[state.at];
      const said = texts.said(nameOf(analysis), what);
      if (live.textContent !== said) live.textContent = said;
    }
  }

  #sum() {
    const done = this.#done();
    const spared = done.filter(({ analysis }) => analysis.state.answer.cached && !analysis.state.uploaded);
    const money = (name) => total(done.map(({ analysis }) => analysis.state.answer.cost[name]));
    byId("summary").textContent = texts.summary({
      all: this.#entries.length,
      done: done.length,
      failed: this.#entries.filter(({ analysis }) => analysis.state.at === "failed").length,
      spared: spared.length,
      bytes: bytes(spared.reduce((sum, { analysis }) => sum + analysis.content.size, 0)),
      saved: money("saved_usd"),
      spent: money("spent_usd"),
    });
  }

  #done() {
    return this.#entries.filter(({ analysis }) => analysis.state.at === "done");
  }
}

function table(body) {
  const heads = texts.columns.map((name) => element("th", { scope: "col" }, name));
  return element("table", { class: "analyses" }, element("thead", {}, element("tr", {}, heads)), body);
}

/** The sum of decimal strings of dollars, exact to the millionth; null when it is nothing. */
function total(amounts) {
  const millionths = amounts.reduce((sum, amount) => sum + Math.round(Number(amount) * 1e6), 0);
  return millionths > 0 ? dollars(String(millionths / 1e6)) : null;
}

/** Scroll to *section* where most of it would be below the window. */
function bringIntoView(section) {
  if (section.getBoundingClientRect().top > innerHeight * 0.6) section.scrollIntoView();
}
