/** How fast an upload goes, judged by its last seconds, and how long the rest takes. */

const WINDOW = 4000;
const ENOUGH = 500;

export class Pace {
  #notes = [];

  /** *total*: bytes in all. */
  constructor(total) {
    this.total = total;
    /** Bytes a second, and seconds left; null while too little was seen. */
    this.speed = null;
    this.left = null;
  }

  /** *sent* bytes have gone out *at* so many milliseconds. */
  note(sent, at) {
    this.#notes.push([at, sent]);
    while (this.#notes.length > 2 && at - this.#notes[0][0] > WINDOW) this.#notes.shift();
    const [since, before] = this.#notes[0];
    if (at - since < ENOUGH || sent <= before) return;
    this.speed = ((sent - before) / (at - since)) * 1000;
    this.left = (this.total - sent) / this.speed;
  }
}
