/**
 * One content on its way to its answer: hashed here, asked for by its hash, uploaded when it is not known.
 *
 * Rule 1: nothing is uploaded before the server was asked, unless this browser cannot hash it, or a person says so.
 * Rule 2: it is in one *state* at a time, and says so by the event "change". `state.at` is one of
 *         waiting, hashing, asking, pending, uploading, analysing, done, failed, cancelled.
 * Rule 3: after a failure it can be run again; what was found out before (its digest) is kept.
 */

import { Cancelled, Refused, Unreachable, lookup, upload } from "./api.js";
import { obstacle, sha256 } from "./digest.js";
import { Pace } from "./pace.js";

const ENDS = new Set(["done", "failed", "cancelled"]);
const LONGEST_PAUSE = 8000;

export class Analysis extends EventTarget {
  #abort = new AbortController();
  #force = false;

  /** *content* is a Blob; *name* that of the file, null for a *text*. */
  constructor(content, { name = null, text = null } = {}) {
    super();
    this.content = content;
    this.name = name;
    this.text = text;
    this.digest = null;
    this.obstacle = obstacle(content.size);
    this.state = { at: "waiting" };
  }

  /** Whether nothing more happens by itself. */
  get ended() {
    return ENDS.has(this.state.at);
  }

  /** Stop; what was uploaded completely goes on at the server, and is known there afterwards. */
  cancel() {
    if (this.ended) return;
    this.#abort.abort();
    this.#become({ at: "cancelled" });
  }

  /** Begin again. *force*: although a failure is remembered. */
  again({ force = false } = {}) {
    this.#abort = new AbortController();
    this.#force = force;
    this.#become({ at: "waiting" });
  }

  /** Go the whole way; never rejects. */
  async run() {
    if (this.state.at !== "waiting") return;
    const { signal } = this.#abort;
    try {
      await this.#find(signal);
    } catch (error) {
      if (!signal.aborted && !(error instanceof Cancelled)) this.#become({ at: "failed", ...cause(error) });
    }
  }

  async #find(signal) {
    if (this.digest === null && this.obstacle === null) {
      this.#become({ at: "hashing" });
      this.digest = await sha256(this.content).catch(() => { throw new Unreadable(); });
      if (signal.aborted) return;
    }
    if (this.digest !== null && !this.#force) {
      this.#become({ at: "asking" });
      const known = await this.#asked(signal);
      if (signal.aborted) return;
      if (known.status === "known" && known.result !== null) {
        const { kind, result, ttl, cost } = known;
        this.#finish({ success: true, cached: true, kind, sha256: this.digest, result, cost }, { ttl, uploaded: false });
        return;
      }
      if (known.status === "failed") {
        this.#become({ at: "failed", why: "remembered", slug: known.problem.split(":").at(-1), problem: null });
        return;
      }
    }
    await this.#uploaded(signal);
  }

  /** What the server knows of it; while somebody else's purchase of it is under way, that is waited for. */
  async #asked(signal) {
    for (let pause = 1000; ; pause = Math.min(pause * 1.5, LONGEST_PAUSE)) {
      const known = await lookup(this.digest, signal);
      if (known.status !== "pending") return known;
      this.#become({ at: "pending" });
      await rest(pause, signal);
    }
  }

  async #uploaded(signal) {
    const pace = new Pace(this.content.size);
    const progress = (sent) => {
      if (signal.aborted) return;
      pace.note(sent, performance.now());
      const { size } = this.content;
      const { speed, left } = pace;
      this.#become(sent < size ? { at: "uploading", sent, total: size, speed, left } : { at: "analysing" });
    };
    progress(0);
    // A pasted text is text whatever it looks like; of a file the bytes tell what it is.
    const { name } = this;
    const { ttl, ...answer } = await upload(this.content, { name, force: this.#force, signal, progress });
    this.#force = false;
    this.digest = answer.sha256;
    this.#finish(answer, { ttl, uploaded: true });
  }

  #finish(answer, { ttl, uploaded }) {
    const until = ttl === null ? null : Date.now() + ttl * 1000;
    this.#become({ at: "done", answer, until, uploaded });
  }

  #become(state) {
    this.state = state;
    this.dispatchEvent(new Event("change"));
  }
}

/** The file cannot be read any more. */
class Unreadable extends Error {}

/** What went wrong: `why` is "unreadable", "lost" (with `sent` of `total`), "refused" (with `slug`, `problem`) or "fault". */
function cause(error) {
  if (error instanceof Unreadable) return { why: "unreadable" };
  if (error instanceof Unreachable) return { why: "lost", sent: error.sent, total: error.total };
  if (error instanceof Refused) return { why: "refused", slug: error.slug, problem: error.problem };
  // A mistake of ours is shown to the person, and told to whoever looks at the console.
  reportError(error);
  return { why: "fault" };
}

function rest(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new Cancelled());
    }, { once: true });
  });
}
