/** What a content looks like, in a frame whose size does not depend on it. */

import { element } from "./dom.js";
import { upload as texts } from "./texts.js";

const MOST_LETTERS = 400;

/** `{frame, close}`: *close* gives back what the browser holds for it. */
export function preview({ content, name, text }) {
  const frame = element("div", { class: "preview" });
  if (text !== null) {
    frame.append(element("p", { class: "preview-text" }, text.slice(0, MOST_LETTERS)));
    return { frame, close() {} };
  }
  const shown = content.type.startsWith("image/") ? picture(name) : content.type.startsWith("video/") ? film(name) : null;
  if (shown === null) {
    frame.append(element("p", { class: "soft small" }, ending(name)));
    return { frame, close() {} };
  }
  let url = URL.createObjectURL(content);
  const close = () => {
    if (url !== null) URL.revokeObjectURL(url);
    url = null;
  };
  shown.addEventListener("error", () => {
    close();
    frame.replaceChildren(element("p", { class: "soft small" }, texts.noPreview));
  });
  // A picture that is decoded needs its URL no more; a film is read while it plays.
  if (shown.localName === "img") shown.addEventListener("load", close);
  shown.src = url;
  frame.append(shown);
  return { frame, close };
}

function picture(name) {
  return element("img", { alt: texts.previewName(name), decoding: "async" });
}

function film(name) {
  const video = element("video", { controls: true, preload: "metadata", playsinline: true, "aria-label": texts.previewName(name) });
  video.muted = true;
  return video;
}

/** "PDF" for "paper.pdf". */
function ending(name) {
  const dot = name.lastIndexOf(".");
  return dot > 0 ? name.slice(dot + 1, dot + 9).toUpperCase() : "";
}
