/** Sizes, amounts, instants and durations as a person reads them. The pages are English, so are their numbers. */

const plain = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenth = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const instantFormat = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" });
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const UNITS = [["year", 31_557_600], ["month", 2_629_800], ["day", 86_400], ["hour", 3600], ["minute", 60], ["second", 1]];

/** A size; 1 MB is a million bytes, as everywhere in hashcache. */
export function bytes(size) {
  if (size < 1000) return `${plain.format(size)} ${size === 1 ? "byte" : "bytes"}`;
  for (const [limit, unit] of [[1e6, "kB"], [1e9, "MB"], [Infinity, "GB"]]) {
    const value = size / (limit === Infinity ? 1e9 : limit / 1000);
    // 999.7 kB would read "1,000 kB": the next unit says it better.
    if (value < 999.5 || limit === Infinity) return `${(value < 10 ? tenth : plain).format(value)} ${unit}`;
  }
}

/** How many. */
export function count(number) {
  return plain.format(number);
}

/** A decimal string of US dollars: at least two places, none of the others dropped. */
export function dollars(amount) {
  const [whole, part = ""] = amount.split(".");
  return `$${plain.format(whole)}.${part.padEnd(2, "0")}`;
}

/** An instant, in this browser's time zone. */
export function instant(at) {
  return instantFormat.format(at);
}

/** How far an instant is from now: "3 days ago", "in 7 days". */
export function away(at, now = Date.now()) {
  const seconds = (at - now) / 1000;
  const [unit, length] = UNITS.find(([, one]) => Math.abs(seconds) >= one) ?? UNITS.at(-1);
  return relative.format(Math.round(seconds / length), unit);
}

/** A short time, rounded up: "8 s", "2 min 10 s". */
export function duration(seconds) {
  const whole = Math.max(1, Math.ceil(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** A whole percentage. */
export function percent(part) {
  return `${Math.floor(part * 100 + 1e-9)} %`;
}
