/** Requests of the dashboard: the browser adds the session's cookie by itself. */

/** The server refused: *slug* is the end of the problem's type. */
export class Refused extends Error {
  constructor(problem) {
    super(problem.detail);
    this.slug = problem.type.split(":").at(-1);
  }
}

/** No answer came. */
export class Unreachable extends Error {}

/** The JSON that is answered; *body* is sent as JSON. */
export async function ask(path, { method = "GET", body } = {}) {
  let answer;
  try {
    answer = await fetch(path, {
      method,
      credentials: "same-origin",
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Unreachable();
  }
  const found = await answer.json().catch(() => { throw new Unreachable(); });
  if (!answer.ok) throw new Refused(found);
  return found;
}

/** What a person is told about *error*; what is no failure of a request is a fault of ours. */
export function told(error, texts) {
  if (error instanceof Refused) return texts.failure(error.message);
  if (error instanceof Unreachable) return texts.door.unreachable;
  throw error;
}
