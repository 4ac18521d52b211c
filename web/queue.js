/** Analyses in turn: a few at a time, the others wait. */

const AT_ONCE = 2;
let running = 0;
const waiting = [];

/** Run *analysis* when it is its turn. */
export function enqueue(analysis) {
  waiting.push(analysis);
  next();
}

async function next() {
  if (running >= AT_ONCE || waiting.length === 0) return;
  running += 1;
  try {
    await waiting.shift().run();
  } finally {
    running -= 1;
    next();
  }
}
