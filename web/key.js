/**
 * The caller's API key: asked for once, when the server wants one, and kept until this tab is closed.
 *
 * Rule: many requests that are refused at once lead to one question.
 */

import { byId } from "./dom.js";

const PLACE = "hashcache.key";
let asking = null;

/** The key; "" where none was given. */
export function current() {
  return sessionStorage.getItem(PLACE) ?? "";
}

/** The headers that a request carries. */
export function credentials() {
  return current() ? { Authorization: `Bearer ${current()}` } : {};
}

/** Forget the key. */
export function forget() {
  sessionStorage.removeItem(PLACE);
  dispatchEvent(new Event("hashcache:key"));
}

/**
 * What *call* answers: it is made again with a key when the server wants one (401), until that key is known or nobody
 * gives one. The answer is the last one, whatever its status.
 */
export async function withKey(call) {
  for (;;) {
    const used = current();
    const answer = await call();
    if (answer.status !== 401) return answer;
    // Somebody may have given one while this request was under way.
    if (current() === used && !(await ask(used))) return answer;
  }
}

/** Ask the person; whether a key was given. */
function ask(refused) {
  asking ??= question(refused).finally(() => { asking = null; });
  return asking;
}

function question(refused) {
  const dialog = byId("key-dialog");
  const input = byId("key-input");
  byId("key-refused").hidden = !refused;
  input.value = "";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      const given = dialog.returnValue === "use" ? input.value.trim() : "";
      input.value = "";
      if (given) {
        sessionStorage.setItem(PLACE, given);
        dispatchEvent(new Event("hashcache:key"));
      }
      resolve(Boolean(given));
    }, { once: true });
  });
}
