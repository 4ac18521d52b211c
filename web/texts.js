/**
 * Every sentence that a script says; what a page says from the start stands in its HTML.
 *
 * Rule: no sentence claims more than the evidence does.
 */

export const common = {
  copied: "Copied",
  copy: "Copy",
  copyFailed: "Select it and copy by hand",
  unreachable: "The server cannot be reached.",
};
