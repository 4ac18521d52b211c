/** Every sentence that the dashboard's scripts say; what it says from the start stands in admin.html. */

export const door = {
  refused: "This is no key of an admin.",
  ended: "You were signed out: the session has ended.",
  unreachable: "The server does not answer.",
  stale: "The link's token is not known any more: the server was started again since. It prints a new link.",
};

export const live = {
  now: (time) => `Live, as of ${time}`,
  stale: (time) => `Not live: as of ${time}`,
  away: "The server does not answer. The figures below are the last that it gave; this page goes on by itself.",
};

export const alerts = {
  levels: { notice: "Notice", warning: "Warning", critical: "Critical" },
  said: (many) => (many === 0 ? "No alerts" : many === 1 ? "One alert" : `${many} alerts`),
};

export const tiles = {
  rate: "Hit rate, last hour",
  rateNone: "–",
  rateNow: (rate) => `Last minute: ${rate ?? "–"}`,
  rateEver: (rate) => `All time: ${rate ?? "–"}`,
  requests: "Requests answered",
  requestsMore: (hits, misses) => `${hits} from the cache, ${misses} not`,
  saved: "Saved, 30 days",
  savedMore: (hits) => `by ${hits} answers that were not bought again`,
  spent: "Spent, 30 days",
  spentMore: (calls, wasted) => `on ${calls} calls${wasted ? `; ${wasted} more for nothing` : ""}`,
  net: "Net of a month",
  netMore: "after what the store costs, at this rate",
  netNone: "Too early to tell: an hour has to be seen",
};

export const rate = {
  hits: "From the cache",
  misses: "Not from the cache",
  line: "Hit rate",
  column: (time, hits, misses, part) => `${time}: ${hits} from the cache, ${misses} not${part ? `, ${part}` : ""}`,
  summary: (span, hits, misses, part) =>
    `Hit rate over the last ${span}: ${part ?? "no request"}; ${hits} requests answered from the cache, ${misses} not.`,
  spans: { hour: "hour", day: "24 hours" },
};

export const kinds = {
  names: { image: "Images", video: "Videos", text: "Texts" },
  columns: ["Kind", "Hits", "Misses", "Hit rate", "Entries", "Size"],
  outcomes: {
    stale: "Stale hits", collapsed: "Joined a purchase", stored: "Bought and kept", errors: "Errors",
    duplicates: "Bought twice", invalidations: "Clears", refused_entries: "Entries refused",
  },
  caption: "Since the beginning; entries and sizes as of the last half minute",
};

export const causes = {
  names: { new: "Never seen before", expired: "Expired", cleared: "Cleared", evicted: "Evicted for room", refresh: "Asked to refresh" },
  none: "Nothing was missing so far.",
  share: (part) => `${part}`,
};

export const money = {
  saved: "Saved",
  spent: "Spent",
  day: (day, saved, spent) => `${day}: ${saved} saved, ${spent} spent`,
  summary: (saved, spent) => `Each of the last 30 days: ${saved} saved and ${spent} spent in all.`,
  columns: ["Provider", "Calls", "Spent", "Saved", "For nothing"],
  caption: "By provider",
  nothing: "Nothing was bought yet.",
  away: "The books cannot be read while the store is away.",
  budget: (scope, period) =>
    `${{ day: "Daily", month: "Monthly" }[period]} budget${scope === "all" ? "" : ` of ${scope.replace("=", " ")}`}`,
  used: (used, limit) => `${used} of ${limit}`,
};

export const latency = {
  levels: { near: "This process's memory", store: "The store", source: "The provider" },
  none: "No answer yet",
  summary: (level, many, p50, p95) => `${level}: ${many} answers, half of them within ${p50}, 95 of 100 within ${p95}.`,
  bucket: (bound, many) => `${bound}: ${many}`,
  longer: (ms) => `> ${ms / 1000} s`,
  within: (ms) => (ms === null ? "–" : ms < 1000 ? `${ms} ms` : `${ms / 1000} s`),
};

export const store = {
  states: { connected: "Connected", embedded: "Embedded", degraded: "Away", off: "Off" },
  memory: "Memory",
  memoryOf: (used, most) => (most ? `${used} of ${most}` : `${used}, no limit known`),
  connections: "Connections",
  of: (now, most) => `${now} of ${most}`,
  commands: "Commands this month",
  commandsOf: (used, limit) => (limit ? `${used} of ${limit}` : used),
  perRequest: "Commands a request",
  runsOut: (day) => `used up on ${day}`,
  lasts: "lasts for this month at this rate",
  p95: "95 of 100 commands within",
  evicted: "Evicted",
  evictedOf: (hour, ever) => `${hour} in the last hour, ${ever} in all`,
  unknown: "not told by the store",
};

export const fleet = {
  columns: ["Process", "Host", "Version", "Up since", "Seen"],
  caption: "Processes that live",
  unknown: "Which processes live cannot be known while the store is away.",
  breakers: "Providers",
  fine: "No provider is kept out: all that are configured are asked.",
  open: (provider, reason, until) => `${provider} is not asked until ${until}${reason ? `: ${reason}` : ""}`,
  halfOpen: (provider) => `${provider} is being tried again, one call at a time`,
  failing: (provider, many) => `${provider} failed ${many} ${many === 1 ? "time" : "times"} in a row`,
};

export const entries = {
  columns: ["Key", "Kind", "Tenant", "Provider", "Age", "Expires", "Cost", "Hits", "Size"],
  caption: "Entries found, the newest of each page first",
  open: (key) => `Open ${key}`,
  found: (many, more) => (many === 0 && !more ? "Nothing found." : `${many} shown${more ? ", there are more" : ", that is all"}.`),
  facts: {
    key: "Key", sha256: "SHA-256", kind: "Kind", tenant: "Tenant", said: "Said by", analysed_at: "Analysed",
    age: "Age", expires: "Expires", cost: "Cost", hits: "Hits", answer_bytes: "Answer", tags: "Tags", error: "Error",
  },
  json: "The answer as JSON",
  forget: "Forget this entry",
  forgotten: "Forgotten. The next request buys it again.",
  yes: "Yes, forget it",
  sure: "Forget it? It is bought again when it is asked for.",
  unknownHits: "not remembered",
};

export const clear = {
  ask: (many, complete) =>
    many === 0 && complete ? "Nothing matches" : `Clear ${complete ? "" : "at least "}${many} ${many === "1" ? "entry" : "entries"}?`,
  what: (pattern, environment) => `Everything that matches ${pattern} in ${environment}.`,
  done: (many, pattern) => `Cleared ${pattern}: ${many} ${many === "1" ? "entry" : "entries"} removed.`,
  going: (many, pattern) => `Nothing of ${pattern} is served any more. Removed so far: ${many}; this goes on by itself.`,
  progress: (selector, many, at) => `Being removed since ${at}: ${selector.replace(/^pattern=/, "")}, ${many} so far`,
  bar: (selector) => `Being removed: ${selector.replace(/^pattern=/, "")}`,
  cancelled: "Nothing was cleared.",
};

export const failure = (detail) => `That did not work: ${detail}`;
