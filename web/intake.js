/** How contents come in: dropped anywhere on the page, chosen, or pasted. */

import { byId } from "./dom.js";
import { upload as texts } from "./texts.js";

/** Calls *files* with Files, and *text* with the text that somebody sends. */
export function listen({ files, text }) {
  choosing(files);
  dropping(files);
  writing(text);
  addEventListener("paste", (event) => {
    const pasted = [...event.clipboardData.files];
    if (pasted.length > 0 && !byId("key-dialog").open) {
      event.preventDefault();
      files(pasted);
    }
  });
}

function choosing(files) {
  const input = byId("file");
  input.addEventListener("change", () => {
    const chosen = [...input.files];
    // So that choosing the same file again is a change.
    input.value = "";
    if (chosen.length > 0) files(chosen);
  });
}

function dropping(files) {
  const zone = byId("drop");
  const over = (event, is) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    zone.toggleAttribute("data-over", is);
  };
  // A file that is dropped beside the zone would replace the page: all of the page takes it.
  addEventListener("dragover", (event) => over(event, true));
  addEventListener("dragleave", (event) => { if (event.relatedTarget === null) over(event, false); });
  addEventListener("drop", (event) => {
    over(event, false);
    const dropped = [...(event.dataTransfer?.items ?? [])].filter(({ kind }) => kind === "file");
    if (dropped.length === 0) return;
    const readable = dropped.filter((one) => !one.webkitGetAsEntry?.()?.isDirectory);
    if (readable.length < dropped.length) byId("live").textContent = texts.emptyFolder;
    byId("folder").hidden = readable.length === dropped.length;
    if (readable.length > 0) files(readable.map((one) => one.getAsFile()));
  });
}

function writing(text) {
  const area = byId("text");
  let pasted = null;
  // A text area turns CRLF into LF. What is pasted into an empty one is kept as it came, until it is edited.
  area.addEventListener("paste", (event) => {
    pasted = area.value === "" ? event.clipboardData.getData("text/plain") : null;
  });
  byId("text-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const same = pasted !== null && pasted.replace(/\r\n?/g, "\n") === area.value;
    text(same ? pasted : area.value);
  });
}
