/**
 * Small drawings in SVG, from numbers.
 *
 * Rule 1: a drawing is as wide as its place, so that texts keep their size on a phone.
 * Rule 2: each says in words what it shows (its name), and each column what it stands for (its title).
 * Rule 3: colours are classes, sizes attributes: the page's policy allows no inline style.
 */

const SVG = "http://www.w3.org/2000/svg";
const LEFT = 40;
const NARROWEST = 240;

/** An SVG element with *attributes* and *children*, strings among them as text. */
export function svg(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.flat());
  return made;
}

/** An empty drawing of this height for *place*, called *name*. */
function canvas(place, height, name) {
  const width = Math.max(NARROWEST, place.clientWidth);
  const drawing = svg("svg", { role: "img", "aria-label": name, viewBox: `0 0 ${width} ${height}`, height });
  return { drawing, width };
}

function rect(x, y, width, height, kind, more = {}) {
  return svg("rect", { x, y, width: Math.max(0, width), height: Math.max(0, height), class: kind, ...more });
}

function label(x, y, text, anchor = "start") {
  return svg("text", { x, y, "text-anchor": anchor }, text);
}

function grid(x1, x2, y) {
  return svg("line", { x1, x2, y1: y, y2: y, class: "grid" });
}

/** Numbers on an axis, short: 1200 is "1.2k". */
export function short(number) {
  return new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 }).format(number);
}

/**
 * Two series under each other: the share of *good* as a curve, and *good* on *rest* as columns. *labels* and *titles*
 * are of each step; *name* says it in words.
 */
export function shareAndColumns(place, { good, rest, labels, titles, name }) {
  const height = 216, curve = [8, 104], columns = [124, 188];
  const { drawing, width } = canvas(place, height, name);
  const step = (width - LEFT) / good.length;
  const most = Math.max(1, ...good.map((one, at) => one + rest[at]));
  for (const [part, text] of [[0, "0 %"], [0.5, "50 %"], [1, "100 %"]]) {
    const y = curve[1] - part * (curve[1] - curve[0]);
    drawing.append(grid(LEFT, width, y), label(LEFT - 6, y + 4, text, "end"));
  }
  drawing.append(grid(LEFT, width, columns[1]), label(LEFT - 6, columns[0] + 4, short(most), "end"));
  // A step without a request has no share: the curve is interrupted there, and dots stand for lone ones.
  let run = [];
  const end = () => {
    if (run.length === 0) return;
    const [first, last] = [run[0], run.at(-1)];
    const line = run.map(([x, y], at) => `${at ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
    drawing.append(svg("path", { class: "under", d: `${line}L${last[0]} ${curve[1]}L${first[0]} ${curve[1]}Z` }));
    drawing.append(run.length > 1
      ? svg("path", { class: "curve", d: line })
      : svg("circle", { cx: first[0], cy: first[1], r: 2.5, class: "fill-saved" }));
    run = [];
  };
  good.forEach((one, at) => {
    const all = one + rest[at];
    if (all === 0) { end(); return; }
    run.push([LEFT + (at + 0.5) * step, curve[1] - (one / all) * (curve[1] - curve[0])]);
  });
  end();
  const scale = (columns[1] - columns[0]) / most, gap = step > 4 ? 1 : 0;
  good.forEach((one, at) => {
    const x = LEFT + at * step, up = one * scale, over = rest[at] * scale;
    drawing.append(
      rect(x + gap / 2, columns[1] - up, step - gap, up, "fill-saved"),
      rect(x + gap / 2, columns[1] - up - over, step - gap, over, "fill-edge"),
      rect(x, curve[0], step, columns[1] - curve[0], "hover", {}),
    );
    drawing.lastChild.append(svg("title", {}, titles[at]));
  });
  for (const at of ticks(good.length, width)) {
    drawing.append(label(LEFT + (at + 0.5) * step, height - 8, labels[at], at === good.length - 1 ? "end" : "middle"));
  }
  return drawing;
}

function ticks(many, width) {
  const every = Math.ceil(many / Math.max(2, Math.floor((width - LEFT) / 90)));
  const found = [];
  for (let at = many - 1; at >= every / 2; at -= every) found.push(at);
  return found;
}

/** Pairs of columns beside each other: *first* and *second* of each step. */
export function pairs(place, { first, second, labels, titles, name, unit }) {
  const height = 168, top = 10, bottom = 140;
  const { drawing, width } = canvas(place, height, name);
  const left = 56, step = (width - left) / first.length;
  const most = Math.max(...first, ...second, 1e-9);
  const scale = (bottom - top) / most, wide = Math.min(14, Math.max(1, (step - 3) / 2));
  drawing.append(grid(left, width, top), grid(left, width, bottom));
  drawing.append(label(left - 6, top + 4, unit(most), "end"), label(left - 6, bottom + 4, unit(0), "end"));
  first.forEach((one, at) => {
    const middle = left + (at + 0.5) * step;
    drawing.append(
      rect(middle - wide, bottom - one * scale, wide, one * scale, "fill-saved"),
      rect(middle, bottom - second[at] * scale, wide, second[at] * scale, "fill-edge"),
      rect(left + at * step, top, step, bottom - top, "hover"),
    );
    drawing.lastChild.append(svg("title", {}, titles[at]));
  });
  for (const at of ticks(first.length, width)) {
    drawing.append(label(left + (at + 0.5) * step, height - 8, labels[at], at === first.length - 1 ? "end" : "middle"));
  }
  return drawing;
}

/** How many of each bucket, with a line where each of *marks* (an index) lies. */
export function histogram(place, { counts, labels, titles, marks, name }) {
  const height = 92, bottom = 68;
  const { drawing, width } = canvas(place, height, name);
  const step = width / counts.length, most = Math.max(1, ...counts);
  drawing.append(grid(0, width, bottom));
  counts.forEach((one, at) => {
    const tall = one ? Math.max(2, (one / most) * (bottom - 6)) : 0;
    drawing.append(rect(at * step + 1, bottom - tall, step - 2, tall, "fill-act"), rect(at * step, 0, step, bottom, "hover"));
    drawing.lastChild.append(svg("title", {}, titles[at]));
  });
  for (const at of marks) {
    const x = (at + 1) * step - 0.5;
    drawing.append(svg("line", { x1: x, x2: x, y1: 2, y2: bottom, class: "mark", "stroke-dasharray": "3 3" }));
  }
  const every = Math.ceil(counts.length / Math.max(3, Math.floor(width / 64)));
  for (let at = 0; at < counts.length; at += every) {
    // Those at the ends stay inside.
    const [x, anchor] = at === 0 ? [0, "start"] : at === counts.length - 1 ? [width, "end"] : [(at + 0.5) * step, "middle"];
    drawing.append(label(x, height - 8, labels[at], anchor));
  }
  return drawing;
}

/** How much of a whole, 0 to 1, with *thresholds* where it gets serious; *kind* is its colour's class. */
export function meter(part, { thresholds = [], kind = "fill-act", name }) {
  const drawing = svg("svg", { role: "img", "aria-label": name, viewBox: "0 0 100 8", height: 8, preserveAspectRatio: "none" });
  drawing.append(rect(0, 0, 100, 8, "fill-track"), rect(0, 0, 100 * Math.min(1, part), 8, kind));
  for (const one of thresholds) {
    drawing.append(svg("line", {
      x1: one * 100, x2: one * 100, y1: 0, y2: 8, class: "threshold", "vector-effect": "non-scaling-stroke",
    }));
  }
  return drawing;
}

/** A small square of a colour, for a legend. */
export function swatch(kind) {
  return svg("svg", { viewBox: "0 0 12 12", "aria-hidden": "true" }, rect(0, 0, 12, 12, kind, { rx: 2 }));
}
