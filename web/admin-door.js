/**
 * Signing in and out.
 *
 * Rule: a key is sent once, for a session; this page keeps none. What stands in the link of the server's start
 *       (`#token=`), which no browser sends anywhere, is taken out of the address before anything else happens.
 */

import { ask, Refused, told } from "./admin-api.js";
import * as texts from "./admin-texts.js";
import { byId } from "./dom.js";

const SESSION = "/admin/session";

/** Ask who is there. *opened*(who) is called when somebody is let in; *failed*(text) when signing out did not work. */
export async function guard({ opened, failed }) {
  const enter = async (key) => {
    const who = await ask(SESSION, { method: "POST", body: { key } });
    byId("door").hidden = true;
    opened(who);
  };
  byId("door-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const field = byId("door-key");
    try {
      await enter(field.value.trim());
      field.value = "";
      byId("main").focus();
    } catch (error) {
      refuse(error instanceof Refused && error.slug === "unauthorized" ? texts.door.refused : told(error, texts));
      field.select();
    }
  });
  byId("sign-out").addEventListener("click", async () => {
    try {
      await ask(SESSION, { method: "DELETE" });
      location.reload(); // nothing of what was seen stays in this tab
    } catch (error) {
      failed(told(error, texts));
    }
  });
  const begin = async () => {
    const token = taken();
    if (token !== null) {
      try {
        await enter(token);
        return;
      } catch (error) {
        show();
        refuse(error instanceof Refused && error.slug === "unauthorized" ? texts.door.stale : told(error, texts));
        return;
      }
    }
    try {
      const who = await ask(SESSION);
      if (who.signed_in) opened(who);
      else show();
    } catch (error) {
      show();
      refuse(told(error, texts));
    }
  };
  addEventListener("hashchange", () => { if (location.hash.startsWith("#token=")) begin(); });
  await begin();
}

/** The session is over: say so. */
export function ended() {
  show();
  refuse(texts.door.ended);
}

function taken() {
  if (!location.hash.startsWith("#token=")) return null;
  const token = decodeURIComponent(location.hash.slice("#token=".length));
  history.replaceState(null, "", location.pathname);
  return token;
}

function show() {
  byId("door").hidden = false;
  byId("dashboard").hidden = true;
  byId("door-refused").hidden = true;
  byId("door-key").focus();
}

function refuse(text) {
  byId("door-refused").textContent = text;
  byId("door-refused").hidden = false;
}
