/** The dashboard: behind the door, figures that stay live as long as somebody looks. */

import { ask, Refused, told } from "./admin-api.js";
import * as clear from "./admin-clear.js";
import { ended, guard } from "./admin-door.js";
import * as entries from "./admin-entries.js";
import { show } from "./admin-figures.js";
import * as texts from "./admin-texts.js";
import { byId } from "./dom.js";

const MINUTE = 60_000;
const AGAIN = 2;
const clock = new Intl.DateTimeFormat("en", { timeStyle: "medium", hourCycle: "h23" });

let seen = null;
let span = "hour";
let timer = null;
let inside = false;
/** What had been counted at which time, of the last minute. */
let counted = [];

guard({
  opened: (who) => {
    inside = true;
    byId("who").textContent = who.name;
    poll();
    entries.search();
  },
  failed: (text) => {
    byId("away").textContent = text;
    byId("away").hidden = false;
  },
});
entries.listen();
clear.listen({ environment: () => seen?.environment ?? "", changed: entries.search });
for (const one of ["hour", "day"]) {
  byId(`range-${one}`).addEventListener("click", () => {
    span = one;
    byId("range-hour").setAttribute("aria-pressed", span === "hour");
    byId("range-day").setAttribute("aria-pressed", span === "day");
    draw();
  });
}
addEventListener("resize", draw);
// Nobody looks at a hidden page: it asks for nothing, and goes on when it is seen again.
document.addEventListener("visibilitychange", () => {
  clearTimeout(timer);
  if (!document.hidden && inside) poll();
});

async function poll() {
  clearTimeout(timer);
  let seconds = AGAIN;
  try {
    const now = await ask("/api/admin/overview");
    if (!inside) return;
    seen = now;
    seconds = seen.refresh_seconds;
    const at = Date.now(), { hits, misses } = seen.cache;
    // Another process may know a little less: figures of now begin anew then.
    if (counted.length > 0 && counted.at(-1).hits + counted.at(-1).misses > hits + misses) counted = [];
    counted = [...counted.filter((one) => at - one.at <= MINUTE), { at, hits, misses }];
    tell(true);
    draw();
  } catch (error) {
    if (error instanceof Refused && error.slug === "unauthorized") {
      leave();
      ended();
      return;
    }
    byId("away").textContent = error instanceof Refused ? told(error, texts) : texts.live.away;
    tell(false);
  }
  if (inside && !document.hidden) timer = setTimeout(poll, seconds * 1000);
}

function draw() {
  if (seen === null || !inside) return;
  // Shown only now, with what it shows: nothing moves.
  byId("dashboard").hidden = false;
  const first = counted[0], last = counted.at(-1);
  show(seen, { hits: last.hits - first.hits, misses: last.misses - first.misses }, span);
}

function tell(live) {
  byId("away").hidden = live;
  byId("live").classList.toggle("stale", !live);
  if (seen !== null) byId("live").textContent = (live ? texts.live.now : texts.live.stale)(clock.format(Date.parse(seen.at)));
}

function leave() {
  inside = false;
  clearTimeout(timer);
}
