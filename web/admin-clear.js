/** Clearing by a pattern: counted first, then asked, then watched until the keys are gone. */

import { ask, told } from "./admin-api.js";
import * as texts from "./admin-texts.js";
import { byId, element } from "./dom.js";
import { count } from "./format.js";

const CLEAR = "/api/admin/cache/clear";
const LOOK = 1000;
/** The clears that this page began and tells about itself. */
const own = new Set();

/** Of *clearing*, those that somebody else began, or that this page began before it was loaded anew. */
export const others = (clearing) => clearing.filter(({ id }) => !own.has(id));

/** Make the form work; *environment* tells the environment's name, *changed* is called when something was cleared. */
export function listen({ environment, changed }) {
  byId("clear-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const pattern = byId("clear-pattern").value.trim(), reason = byId("clear-reason").value.trim();
    try {
      const counted = await ask(CLEAR, { method: "POST", body: { pattern, dry_run: true } });
      if (!(await confirmed(pattern, counted, environment()))) {
        say(texts.clear.cancelled);
        return;
      }
      const begun = await ask(CLEAR, { method: "POST", body: { pattern, reason } });
      own.add(begun.id);
      changed(); // its keys may lie there still, but nothing is served of them
      await watch(pattern, begun);
    } catch (error) {
      say(told(error, texts));
    }
  });
}

/** Whether a person wants it, who has seen how many there are. In `prod`, everything has to be typed. */
function confirmed(pattern, { deleted, complete }, environment) {
  const dialog = byId("clear-dialog"), typed = byId("clear-type"), yes = byId("clear-yes");
  const everything = /^\*+$/.test(pattern) && environment === "prod";
  byId("clear-ask").textContent = texts.clear.ask(count(deleted), complete);
  byId("clear-what").textContent = texts.clear.what(pattern, environment);
  byId("clear-env").textContent = environment;
  byId("clear-typed").hidden = !everything;
  typed.value = "";
  const check = () => { yes.disabled = everything && typed.value.trim() !== "*"; };
  typed.oninput = check;
  check();
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "clear" && !yes.disabled), { once: true });
  });
}

async function watch(pattern, begun) {
  let { deleted, done, id } = begun;
  const bar = element("progress", { "aria-label": texts.clear.bar(pattern) });
  while (!done) {
    say(texts.clear.going(count(deleted), pattern), bar);
    await new Promise((resolve) => { setTimeout(resolve, LOOK); });
    ({ deleted, done } = await ask(`/api/admin/cache/clears/${id}`));
  }
  say(texts.clear.done(count(deleted), pattern));
}

function say(text, ...more) {
  byId("clear-done").replaceChildren(element("p", { class: "notice" }, text), ...more);
}
