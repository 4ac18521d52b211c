"""
Every knob: its name, its shape, its default, an example, and what it does in a sentence.

Rule 1: this table is the only list of knobs; `load`, its messages and docs/settings.md follow it.
Rule 2: a default is written as an operator would write it, and read by the same shape.
Rule 3: `into` is the attribute of Settings; with a dot it is a part of something that `loading` puts together.
"""

from __future__ import annotations

from datetime import timedelta

from hashcache.settings import addresses, alerting, budgets, credentials, shapes
from hashcache.settings.knob import Knob
from hashcache.settings.vendors import KNOWN, VENDORS
from hashcache.settings.webhooks import WEBHOOKS

_INSTANT = timedelta(milliseconds=1)
_SECOND = timedelta(seconds=1)
_HOUR = timedelta(hours=1)
_providers = shapes.names("provenance", "generic", *KNOWN)
_field_name = shapes.word(
    r'[^\x00-\x1f"\\\x7f]{1,128}', "1 to 128 characters without quotes, backslash and control characters"
)


STORE = (
    Knob("HASHCACHE_STORE", "store.url", addresses.any_store,
         "Where answers are kept: `sqlite:///path` (three slashes, then a path, taken as it is), `memory://`, `off`, "
         "`redis://...`, `rediss://...`, a Redis Cluster: `redis+cluster://...`, or where sentinels name the server: "
         "`redis+sentinel://...` (see above). Unset: `REDIS_URL`, else `REDIS_HOST`, else "
         "`sqlite:///./hashcache.sqlite3`.",
         "sqlite:////var/lib/hashcache/cache.sqlite3", secret=True),
    Knob("REDIS_URL", "store.redis_url", addresses.redis_store,
         "A Redis server, as hosts such as Render and Upstash give it, a cluster, or sentinels that name a server.",
         "rediss://default:p%40ss@eu1-fox-12345.upstash.io:6379", secret=True),
    Knob("REDIS_HOST", "store.host", shapes.host,
         "A Redis server by its parts: the host.", "redis.internal"),
    Knob("REDIS_PORT", "store.port", addresses.port_text,
         "Its port; 6379 when unset.", "6380"),
    Knob("REDIS_USERNAME", "store.username", shapes.word(r"[^\s]{1,256}", "a name without blanks"),
         "Its user, where it has access lists; `default` when unset.", "hashcache"),
    Knob("REDIS_PASSWORD", "store.password", shapes.word(r"[^\x00-\x1f\x7f]{1,1024}", "at most 1024 characters"),
         "Its password, as it is (not percent-encoded).", "$(cat /run/secrets/redis)", secret=True),
    Knob("REDIS_DB", "store.database", shapes.whole(least=0, most=99_999),
         "Its database; 0 when unset.", "2"),
    Knob("REDIS_TLS", "store.tls", shapes.switch,
         "1: speak TLS to it and verify its certificate.", "1"),
    Knob("HASHCACHE_REDIS_CA", "redis_ca", shapes.path,
         "A file with the certificates (PEM) that may vouch for a `rediss` server; unset: the system's.",
         "/etc/ssl/redis-ca.pem"),
    Knob("HASHCACHE_REDIS_CONNECTIONS", "redis_connections", shapes.whole(least=1, most=10_000),
         "The most connections to Redis that one process opens, to all nodes of a cluster together.", "50", "20"),
    Knob("HASHCACHE_REDIS_MAX_MEMORY", "redis_max_memory", shapes.size(),
         "How much the plan holds, where the server does not tell.", "256MB"),
    Knob("HASHCACHE_REDIS_MONTHLY_COMMANDS", "redis_monthly_commands", shapes.whole(least=1, most=10**15),
         "How many commands a month the plan allows.", "500000"),
    Knob("HASHCACHE_NEAR_BYTES", "near_bytes", shapes.size(least=0),
         "Memory of each process for answers that were used lately; 0 turns it off.", "0", "64MB"),
    Knob("HASHCACHE_MAX_ENTRY", "max_entry", shapes.size(least=1024, most=100_000_000),
         "A larger answer is given and counted, but not kept.", "512KiB", "1MB"),
    Knob("HASHCACHE_ENV", "environment", shapes.word("[a-z0-9-]{1,32}", "1 to 32 of a-z, 0-9 and -"),
         "Part of every key's name: keeps environments that share a Redis apart.", "prod", "dev"),
    Knob("HASHCACHE_SECRET", "seal.signing", credentials.signing,
         "Signs entries, so that who can write to the store cannot forge an answer. To change it without losing "
         "entries: `new,old`, until the old ones have expired. To introduce it without losing entries: "
         "`new,unsigned@2026-12-01` accepts those from before until that day begins (UTC). Each has at least 16 "
         "characters.", "$(openssl rand -hex 32)", secret=True),
    Knob("HASHCACHE_ENCRYPT", "encrypt", shapes.switch,
         "1: answers are also encrypted (AES-256-GCM, a key for each tenant, derived from `HASHCACHE_SECRET`), so that "
         "who can read the store cannot read them.", "1", "0"),
)  # fmt: skip

PROVIDERS = (
    Knob("HASHCACHE_PROVIDER", "provider.all", _providers,
         "Who analyses, each the kinds that it can: `provenance` (embedded, free of charge; also for kinds that nobody "
         f"else here does), `generic` (any paid HTTP API), {', '.join(f'`{name}`' for name in KNOWN)}. Several: in "
         "order of fallback.", "hive,provenance", "provenance"),
    Knob("HASHCACHE_IMAGE_PROVIDER", "provider.image", _providers, "Who analyses images.", "generic"),
    Knob("HASHCACHE_VIDEO_PROVIDER", "provider.video", _providers, "Who analyses videos.", "provenance"),
    Knob("HASHCACHE_TEXT_PROVIDER", "provider.text", _providers, "Who analyses texts.", "generic"),
    Knob("HASHCACHE_PROVIDER_TIMEOUT", "provider_timeout", shapes.duration(least=_INSTANT, most=_HOUR),
         "How long a call to a provider may take, all in all.", "30s", "60s"),
    Knob("HASHCACHE_VIDEO_TIMEOUT", "video_timeout", shapes.duration(least=_INSTANT, most=_HOUR),
         "The same for videos.", "5m", "180s"),
    Knob("HASHCACHE_PROVIDER_PAUSE", "provider_pause", shapes.duration(least=_INSTANT, most=_HOUR),
         "How long a provider that failed five times in a row is not asked by anybody; six times as long one that "
         "refuses our account. Then one call at a time looks whether it is back.", "30s", "10s"),
    Knob("HASHCACHE_GENERIC_URL", "generic.url", shapes.web_address,
         "`generic`: where to POST the content.", "https://api.example.com/v1/detect", secret=True),
    Knob("HASHCACHE_GENERIC_HEADERS", "generic.headers", shapes.fields,
         "`generic`: headers of each call, as a JSON object; the place for the API's key.",
         '{"Authorization": "Bearer 3fe1c0"}', secret=True),
    Knob("HASHCACHE_GENERIC_FILE_FIELD", "generic.file_field", _field_name,
         "`generic`: the multipart field that holds the image or video.", "media", "file"),
    Knob("HASHCACHE_GENERIC_TEXT_FIELD", "generic.text_field", _field_name,
         "`generic`: the member of the JSON object that holds the text.", "document", "text"),
    Knob("HASHCACHE_GENERIC_SCORE", "generic.score", shapes.pointer,
         "`generic`: where its answer holds the probability of AI, 0 to 1 (JSON Pointer, RFC 6901). Unset: the answer "
         "is kept without a verdict.", "/type/ai_generated"),
    Knob("HASHCACHE_GENERIC_VERSION", "generic.version", shapes.pointer,
         "`generic`: where its answer holds the model's version (JSON Pointer).", "/model/version"),
    Knob("HASHCACHE_GENERIC_AI_ABOVE", "generic.ai_above", shapes.share,
         "`generic`: a score of so much or more means AI-generated.", "0.7", "0.5"),
    Knob("HASHCACHE_GENERIC_PRICE_USD", "generic.price", shapes.price,
         "`generic`: what one call costs, in US dollars.", "0.01", "0"),
    Knob("HASHCACHE_GENERIC_TIMEOUT", "generic.timeout", shapes.duration(least=_INSTANT, most=_HOUR),
         "`generic`: how long a call may take; unset: as for other providers.", "20s"),
    *(Knob(f"HASHCACHE_{name.upper()}_EPOCH", f"epoch.{name}", shapes.whole(least=0, most=10**6),
           f"`{name}`: raise it when the vendor's model has changed: all is asked anew.", "1", "0")
      for name in ("generic", *KNOWN)),
    Knob("HASHCACHE_GENERIC_CONCURRENCY", "generic.concurrency", shapes.whole(least=1, most=1000),
         "`generic`: how many calls one process makes at the same time.", "16", "8"),
)  # fmt: skip

BUDGETS = (
    Knob("HASHCACHE_DAILY_BUDGET_USD", "budget.day", shapes.price,
         "The most that is spent a day (UTC), in all; unset: no limit.", "25"),
    Knob("HASHCACHE_MONTHLY_BUDGET_USD", "budget.month", shapes.price,
         "The most that is spent a month (UTC), in all.", "500"),
    Knob("HASHCACHE_TENANT_BUDGETS", "budget.tenants", budgets.tenants,
         "The most for single tenants: `tenant:dollars/day` or `tenant:dollars/month`, parted by commas.",
         "acme:5/day,acme:100/month,globex:20/month"),
    *(knob for name in ("generic", *KNOWN) for knob in (
        Knob(f"HASHCACHE_{name.upper()}_DAILY_BUDGET_USD", f"budget.{name}.day", shapes.price,
             f"`{name}`: the most that is spent on it a day.", "10"),
        Knob(f"HASHCACHE_{name.upper()}_MONTHLY_BUDGET_USD", f"budget.{name}.month", shapes.price,
             f"`{name}`: the most that is spent on it a month.", "200"),
    )),
    Knob("HASHCACHE_UNKNOWN_OUTCOME", "unknown_outcome", shapes.word("buy|fail", "`buy` or `fail`"),
         "What follows when a process died in the middle of a paid call, and the same is asked again: `buy` once more, "
         "or `fail`.", "fail", "buy"),
    Knob("HASHCACHE_REDIS_PRICE_USD", "redis_price", shapes.price,
         "What the store costs a month, in US dollars: what hashcache saves is told net of it.", "10", "0"),
    Knob("HASHCACHE_REDIS_COMMANDS_PRICE_USD", "redis_commands_price", shapes.price,
         "What 100,000 commands to the store cost, in US dollars.", "0.2", "0"),
)  # fmt: skip

LIMITS = (
    Knob("HASHCACHE_MEDIA_TTL", "media_ttl", shapes.duration(least=_SECOND),
         "How long the answer about an image or video is kept.", "12h", "7d"),
    Knob("HASHCACHE_TEXT_TTL", "text_ttl", shapes.duration(least=_SECOND),
         "How long the answer about a text is kept.", "14d", "30d"),
    Knob("HASHCACHE_MAX_UPLOAD", "max_upload", shapes.size(most=10**12),
         "The largest upload.", "50MB", "200MB"),
    Knob("HASHCACHE_MAX_TEXT", "max_text", shapes.size(most=10**9),
         "The largest text.", "200KB", "1MB"),
    Knob("HASHCACHE_UPLOAD_BUDGET", "upload_budget", shapes.size(),
         "The bytes of all uploads held at a time, in memory and on disk; each of `WEB_CONCURRENCY` processes has an "
         "equal part. Unset: 1GB, or room for a largest upload in each process where that is more.", "4GB", "1GB"),
    Knob("HASHCACHE_UPLOAD_IDLE", "upload_idle", shapes.duration(least=_INSTANT, most=_HOUR),
         "An upload of which nothing arrives for so long is given up.", "30s", "10s"),
    Knob("HASHCACHE_UPLOAD_RATE", "upload_rate", shapes.size(least=0, most=10**9),
         "An upload that is slower, in bytes a second on average, is given up; 0 allows any.", "0", "1000"),
    Knob("HASHCACHE_SPOOL_DIR", "spool_dir", shapes.path,
         "The folder for large uploads while they are analysed (unnamed files); unset: the system's.", "/mnt/spool"),
    Knob("HASHCACHE_LEASE", "lease",
         shapes.duration(least=timedelta(milliseconds=100), most=timedelta(minutes=5)),
         "How long a purchase stays reserved when the process that makes it dies.", "15s", "8s"),
)  # fmt: skip

SERVER = (
    Knob("HASHCACHE_HOST", "host", shapes.host,
         "The address to listen on; unset: 127.0.0.1.", "0.0.0.0"),  # noqa: S104 -- an example for people, bound by nobody
    Knob("PORT", "port", shapes.whole(least=0, most=65_535),
         "The port to listen on; 0 takes any that is free.", "8080", "8000"),
    Knob("WEB_CONCURRENCY", "workers", shapes.whole(least=1, most=256),
         "How many processes serve.", "4", "1"),
    Knob("HASHCACHE_GRACE", "grace", shapes.duration(least=_INSTANT, most=_HOUR),
         "How long requests and purchases under way may take to finish at shutdown.", "60s", "25s"),
    Knob("HASHCACHE_PUBLIC", "public", shapes.switch,
         "1: serve strangers although a paid provider is set and there are no API keys.", "1", "0"),
    Knob("HASHCACHE_API_KEYS", "api_keys", credentials.api_keys,
         "Who may call: `name:tenant:role:sha256-of-key`, parted by commas; roles are `user` and `admin`.",
         "$(hashcache keys new)", secret=True),
    Knob("HASHCACHE_ADMIN_TOKEN", "admin_token", credentials.token,
         "A key of role admin for tenant `default`; at least 16 characters.", "$(openssl rand -hex 32)", secret=True),
    Knob("HASHCACHE_BEHIND_PROXY", "behind_proxy", shapes.switch,
         "1: a proxy stands in front, and strangers reach this server only through it: what it says of its client "
         "(X-Forwarded-Proto, the last address in X-Forwarded-For) is believed. Signing in needs it to know that the "
         "browser speaks https.", "1", "0"),
    Knob("HASHCACHE_SESSION_IDLE", "session_idle",
         shapes.duration(least=timedelta(minutes=1), most=timedelta(days=30)),
         "After how long without a request whoever has signed in at /admin is signed out.", "8h", "30m"),
    Knob("HASHCACHE_SESSION_LIFE", "session_life",
         shapes.duration(least=timedelta(minutes=1), most=timedelta(days=30)),
         "After how long he is signed out in any case.", "7d", "12h"),
)  # fmt: skip

ALERTS = (
    Knob("HASHCACHE_ALERT_HIT_RATE", "alert.hit_rate", alerting.percents(most=3, falling=True),
         "Hit rates (%, over the last hour) below which an alert is raised, the worst last; `0`: never.",
         "60,30", "70,50,20"),
    Knob("HASHCACHE_ALERT_MEMORY", "alert.memory", alerting.percents(most=3),
         "Shares of the store's memory (%) above which an alert is raised, the worst last; `100`: never.",
         "70,85,95", "80,90"),
    Knob("HASHCACHE_ALERT_EVICTIONS", "alert.evictions", shapes.whole(least=0, most=10**12),
         "More evictions in an hour than this raise an alert.", "0", "1000"),
    Knob("HASHCACHE_ALERT_STORE_P95", "alert.store_p95", shapes.duration(least=_INSTANT, most=_HOUR),
         "An alert is raised when of 100 commands 5 take longer; unset: 10ms, over TLS 50ms.", "25ms"),
    Knob("HASHCACHE_ALERT_CONNECTIONS", "alert.connections", alerting.percents(most=1),
         "The share of the connections that the store allows (%) above which an alert is raised.", "90", "80"),
    Knob("HASHCACHE_ALERT_BUDGET", "alert.budget", alerting.percents(most=1),
         "The share of a budget (%) from which on an alert is raised.", "95", "80"),
)  # fmt: skip

#: Every knob, in the order of docs/settings.md.
KNOBS: tuple[Knob, ...] = STORE + PROVIDERS + VENDORS + BUDGETS + LIMITS + WEBHOOKS + SERVER + ALERTS
