/** Text for machines, with a button that copies it. */

import { element } from "./dom.js";
import { common } from "./texts.js";

const SHOWN = 2000;

/** A button that copies what *text* gives; *source* is selected where the browser does not let a page copy. */
export function copyButton(text, source) {
  const button = element("button", { type: "button", class: "plain small" }, common.copy);
  button.addEventListener("click", async () => {
    button.textContent = (await copied(text())) ? common.copied : select(source);
    setTimeout(() => { button.textContent = common.copy; }, SHOWN);
  });
  return button;
}

/** What machines read, behind a line that a person opens. *text* is asked for when it is opened first. */
export function machineText(title, text, { wrap = false } = {}) {
  const code = element("pre", { class: wrap ? "code wrap" : "code", tabindex: "0", "aria-label": title });
  const details = element(
    "details", {},
    element("summary", {}, title),
    element("div", { class: "stack tight" }, code, element("div", {}, copyButton(text, code))),
  );
  details.addEventListener("toggle", () => { code.textContent ||= text(); });
  return details;
}

async function copied(text) {
  try {
    // Not there on pages from plain http.
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

function select(source) {
  getSelection().selectAllChildren(source);
  return common.copyFailed;
}
