/** Elements from names, attributes and children. Texts become text nodes: nothing is ever parsed as HTML. */

/**
 * An element with *attributes* and *children*. An attribute whose value is true is set without one; false, null and
 * undefined set none; `on` holds listeners by event. Children that are null or false are left out.
 */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "on") {
      for (const [event, listener] of Object.entries(value)) made.addEventListener(event, listener);
    } else if (value === true) {
      made.setAttribute(key, "");
    } else if (value !== false && value !== null && value !== undefined) {
      made.setAttribute(key, value);
    }
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** The element with this id; the page was written with it. */
export function byId(id) {
  return document.getElementById(id);
}
