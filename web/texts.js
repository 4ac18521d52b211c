/**
 * Every sentence that a script says; what a page says from the start stands in its HTML.
 *
 * Rule: no sentence claims more than the evidence does. That nothing was found is no finding, and a score is a guess.
 */

export const common = {
  copied: "Copied",
  copy: "Copy",
  copyFailed: "Press Ctrl+C to copy",
};

/** The upload page. */
export const upload = {
  pasted: "Pasted text",
  emptyFolder: "Folders cannot be dropped here: choose the files in it.",
  states: {
    waiting: "Waiting for its turn",
    hashing: "Computing its SHA-256 in this browser",
    asking: "Asking whether it is known",
    pending: "Being analysed for somebody else already: waiting for that answer",
    uploading: "Uploading",
    analysing: "Uploaded; being analysed",
    cancelled: "Cancelled",
    failed: "No answer",
  },
  short: {
    waiting: "Waiting",
    hashing: "Hashing",
    asking: "Asking",
    pending: "Being analysed",
    uploading: "Uploading",
    analysing: "Being analysed",
    cancelled: "Cancelled",
    failed: "No answer",
  },
  obstacle: {
    insecure: "Browsers compute a hash only for pages from https or localhost, so it is uploaded without asking first.",
    large: "Too large for this browser to hash (the limit is 256 MB), so it is uploaded without asking first.",
  },
  progress: (sent, total, speed, left) =>
    [`${sent} of ${total}`, speed && `${speed}/s`, left && `${left} left`].filter(Boolean).join(" · "),
  progressName: (name) => `Upload of ${name}`,
  cancel: "Cancel",
  again: "Try again",
  goOn: "Go on",
  insist: "Upload and try again",
  cancelled: "Cancelled. What had been uploaded completely is still analysed, and known afterwards.",

  /** What was found. `meaning` is: "found", "camera" or "" (nothing that a colour could say). */
  verdicts: {
    ai_generated: {
      title: "Signs that AI generated it",
      short: "AI-generated",
      meaning: "found",
      caveat: "An assessment, no proof: the evidence below says what it rests on.",
    },
    ai_edited: {
      title: "Signs that AI edited it",
      short: "AI-edited",
      meaning: "found",
      caveat: "An assessment, no proof: which parts were edited is not said.",
    },
    captured: {
      title: "Signs that a camera captured it",
      short: "Captured",
      meaning: "camera",
      caveat: "Metadata can be forged, and a signature is worth as much as whoever issued it.",
    },
    no_ai_found: {
      title: "No sign of AI was found",
      short: "No sign of AI",
      meaning: "",
      caveat: "That is not a sign that a person made it: what this provider looks for was not found, no more.",
    },
    inconclusive: {
      title: "The analysis could not tell",
      short: "Could not tell",
      meaning: "",
      caveat: "What was found speaks for neither side.",
    },
  },
  unknownVerdict: (verdict) => ({ title: verdict, short: verdict, meaning: "", caveat: "" }),
  confidence: {
    high: "Provider's confidence: high",
    medium: "Provider's confidence: medium",
    low: "Provider's confidence: low",
    none: "No confidence stated",
  },
  score: (score) => `Probability of AI, as the provider puts it: ${score}`,
  noScore: "The provider gives no probability.",
  scoreEnds: ["0 %", "100 %"],

  route: {
    spared: (size) => `Answered without uploading ${size}`,
    cachedAfterUpload: (size) => `Answered from the cache, after uploading ${size}`,
    bought: (size) => `Uploaded ${size}, analysed now`,
  },
  shortRoute: { spared: "Not uploaded", cachedAfterUpload: "From the cache", bought: "Analysed now" },
  facts: {
    said: "Said by",
    when: "Analysed",
    cost: "Cost",
    cache: "Cache",
    digest: "SHA-256",
  },
  model: (provider, model, version) =>
    [provider, model && model !== provider && `model ${model}`, version && `version ${version}`].filter(Boolean).join(", "),
  cost: {
    spent: (amount) => `${amount} spent on this analysis`,
    savedByCache: (amount) => `Nothing: the answer was known, which saved ${amount}`,
    savedByJoining: (amount) => `Nothing: somebody else was buying the same answer, which saved ${amount}`,
    embedded: "Nothing: no paid provider was asked. The server itself looks at metadata and signatures, no further",
    nothing: "Nothing",
  },
  savedBadge: (amount) => `Saved ${amount}`,
  spentBadge: (amount) => `Spent ${amount}`,
  cache: {
    from: (until, away) => `From the cache, where it stays until ${until} (${away})`,
    kept: (until, away) => `New, and kept until ${until} (${away})`,
    notKept: "Not kept: the next upload is analysed again",
  },

  evidence: (many) => (many === 1 ? "One piece of evidence" : `${many} pieces of evidence`),
  noEvidence: "The provider names no evidence.",
  strength: { strong: "Strong", medium: "Medium", weak: "Weak", none: "Says nothing by itself" },
  verified: "Signature intact",
  unverified: "No signature",
  where: (where, value) => [where, value].filter(Boolean).join(": "),

  curl: "The same with curl",
  json: "The answer as JSON",
  noPreview: "This browser cannot show it",
  previewName: (name) => `Preview of ${name}`,

  failures: {
    lost: {
      title: "The connection to the server was lost",
      before: "Nothing was uploaded yet.",
      during: (sent, total) => `${sent} of ${total} had been sent. Going on asks first, and uploads again only if it has to.`,
      after: "Everything had been sent, so it may be analysed all the same. Going on asks first, and uploads only if it has to.",
      hint: "If it breaks off every time, the file may be larger than this server takes.",
    },
    unreadable: {
      title: "The file cannot be read",
      detail: "It may have been moved or changed since it was chosen. Choose it again.",
    },
    fault: { title: "A fault of this page", detail: "The browser's console says more. Trying again is safe." },
    unexpected: {
      title: (status) => `The server answered with ${status}`,
      detail: "Not in its own words: something between here and there may be in the way.",
    },
    remembered: {
      title: "Analysing this failed a moment ago",
      detail: "Nothing was uploaded.",
      "vendor-limit": "The provider does not take this content. Nothing was uploaded.",
    },
    unauthorized: { title: "This server wants a key", detail: "Without one it answers nothing." },
  },
  retryAfter: (time) => `The server asks to wait ${time}.`,

  summary: ({ all, done, failed, spared, bytes, saved, spent }) =>
    [
      all === 1 ? "Result" : `${all} contents`,
      all > 1 && `${done} answered`,
      all > 1 && failed > 0 && `${failed} without an answer`,
      spared > 0 && `${bytes} not uploaded`,
      saved && `${saved} saved`,
      spent && `${spent} spent`,
    ].filter(Boolean).join(" · "),
  columns: ["Content", "Finding", "How", "Cost"],
  open: (name) => `Show what was found in ${name}`,
  said: (name, what) => `${name}: ${what}`,
  allSaid: (done, all) => `${done} of ${all} answered`,
};
