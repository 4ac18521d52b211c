/** Requests to this server, and how they fail. */

import { credentials, withKey } from "./key.js";

/** The server refused: *problem* is its RFC 9457 object, *slug* the end of its type. */
export class Refused extends Error {
  constructor(problem) {
    super(problem.detail);
    this.problem = problem;
    this.slug = problem.type.split(":").at(-1);
  }
}

/** No answer came. *sent*: bytes of *total* that had gone out before. */
export class Unreachable extends Error {
  constructor(sent = 0, total = 0) {
    super();
    this.sent = sent;
    this.total = total;
  }
}

/** Somebody cancelled it. */
export class Cancelled extends Error {}

/**
 * What is known of one content: `{status, kind, result, ttl, problem, cost}`, see docs/api.md. A lookup rather than
 * GET, whose 404 for the unknown each browser would report as an error on its console.
 */
export async function lookup(sha256, signal) {
  const answer = await withKey(() => post("/api/lookup", JSON.stringify({ sha256: [sha256] }), signal));
  const body = read(answer.status, await answer.text());
  return { ...body.analyses[0], cost: body.cost };
}

/**
 * Upload *content*: as the file *name* in a form, so that the server's log can name it; null: as the text that it is,
 * whose line ends a form would rewrite. As XMLHttpRequest: fetch tells no progress.
 */
export async function upload(content, { name, force, signal, progress }) {
  const answer = await withKey(() => send(content, { name, force, signal, progress }));
  return { ...read(answer.status, answer.text), ttl: answer.ttl };
}

async function post(path, body, signal) {
  try {
    return await fetch(path, {
      method: "POST", body, signal, headers: { "Content-Type": "application/json", ...credentials() },
    });
  } catch {
    throw signal?.aborted ? new Cancelled() : new Unreachable();
  }
}

function send(content, { name, force, signal, progress }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    let sent = 0;
    request.open("POST", "/api/analyze");
    for (const [name, value] of Object.entries(credentials())) request.setRequestHeader(name, value);
    if (name === null) request.setRequestHeader("Content-Type", "text/plain");
    if (force) request.setRequestHeader("X-Force-Refresh", "true");
    request.upload.onprogress = (event) => {
      sent = Math.min(event.loaded, content.size); // what is around it in a form is not counted
      progress(sent);
    };
    request.upload.onload = () => {
      sent = content.size;
      progress(sent);
    };
    request.onload = () => resolve({ status: request.status, text: request.responseText, ttl: ttlOf(request) });
    request.onerror = () => reject(new Unreachable(sent, content.size));
    request.onabort = () => reject(new Cancelled());
    if (signal.aborted) {
      reject(new Cancelled());
      return;
    }
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(name === null ? content : form(content, name));
  });
}

function form(content, name) {
  const fields = new FormData();
  fields.append("file", content, name);
  return fields;
}

/** For how many seconds the answer is kept (Cache-Status, RFC 9211); null when it is not. */
function ttlOf(request) {
  const found = /;\s*ttl=(\d+)/.exec(request.getResponseHeader("Cache-Status") ?? "");
  return found ? Number(found[1]) : null;
}

/** The JSON of a 200; throws Refused for all else, also for what a proxy in between says in its own words. */
function read(status, text) {
  let body = null;
  try {
    body = JSON.parse(text);
  } catch {
    // It stays null.
  }
  if (status === 200 && body !== null) return body;
  if (body?.type && body?.detail) throw new Refused(body);
  throw new Refused({ type: "unexpected", title: null, status, detail: "" });
}
