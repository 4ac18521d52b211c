/** The line for a shell that gets the same answer. It never holds a key: that is the shell's. */

import { current } from "./key.js";

const LONGEST_TEXT = 2000;

/** For a content with this *digest*. A file is asked for by its hash first, as this page does, and sent if need be. */
export function curl({ name, text, digest }) {
  const key = current() ? ' -H "Authorization: Bearer $HASHCACHE_API_KEY"' : "";
  const resource = `${location.origin}/api/analyses/${digest}`;
  if (name !== null) return `curl${key} -T ${quoted(path(name))} ${resource}`;
  // NUL never is in a text that has an answer. Long ones are asked for, not repeated.
  if (text.length > LONGEST_TEXT) return `curl${key} '${resource}?kind=text'`;
  return `curl${key} -H 'Content-Type: text/plain' --data-raw ${quoted(text)} ${location.origin}/api/analyze`;
}

/** A name that curl takes for an option, or for its standard input, is written as a path. */
function path(name) {
  return /^[-.]/.test(name) ? `./${name}` : name;
}

/** As a POSIX shell reads it. */
function quoted(word) {
  return /^[\w./:@%+=-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
