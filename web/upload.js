/** The upload page: what comes in goes to the list. */

import { Analysis } from "./analysis.js";
import { byId } from "./dom.js";
import { listen } from "./intake.js";
import { current, forget } from "./key.js";
import { List } from "./list.js";

const list = new List();

listen({
  files: (files) => list.add(files.map((file) => new Analysis(file, { name: file.name }))),
  text: (text) => list.add([new Analysis(new Blob([text]), { text })]),
});

byId("clear").addEventListener("click", () => {
  list.clear();
  byId("file").focus();
});

byId("forget-key").addEventListener("click", forget);
addEventListener("hashcache:key", showKey);
showKey();

function showKey() {
  byId("keyless").hidden = current() !== "";
  byId("keyed").hidden = current() === "";
}
