"""
The figures of the fleet in the format that Prometheus reads.

Rule 1: counters are the ledger's, so every process shows the same; gauges are told of each process, by its name.
Rule 2: what is not known is left out. A counter that were shown as 0 would look like a restart.
Rule 3: labels hold names from the settings, never what a caller sent.

docs/decisions/0002-metrics.md says why it is so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from hashcache.ports import Process
from hashcache.service.statistics import BUCKETS

Sums = Mapping[str, int]

#: Counters `<what>.<of which>` or `<what>`: metric, label of the <of which> (None: only the sum), what it means.
_COUNTERS = (
    ("errors", "hashcache_errors", None, "Requests answered with a 5xx."),
    ("level", "hashcache_answers", "level", "Answers by where they were found."),
    ("cause", "hashcache_misses", "cause", "Misses by why there was no answer."),
    ("stored", "hashcache_stored", None, "Answers that were bought and kept."),
    ("duplicates", "hashcache_duplicates", None, "Answers that were bought although another purchase was under way."),
    ("invalidations", "hashcache_invalidations", None, "Clears and deletions."),
    ("refused", "hashcache_refused_entries", None, "Stored entries that did not verify."),
    ("calls", "hashcache_provider_calls", "provider", "Calls to providers."),
    ("failed", "hashcache_provider_failures", "provider", "Calls to providers that gave no answer."),
    ("declined", "hashcache_declined_calls", "provider", "Calls that were not made: a limit, a budget or a breaker."),
    ("spent", "hashcache_spent_microdollars", "provider", "Spent, in millionths of a US dollar."),
    ("saved", "hashcache_saved_microdollars", "provider", "Saved, in millionths of a US dollar."),
    ("wasted", "hashcache_wasted_microdollars", "provider", "Possibly billed without an answer, in millionths."),
    ("commands", "hashcache_store_commands", None, "Commands sent to the store, a script counted as one."),
    ("webhooks", "hashcache_webhooks", "event", "Webhooks by what came of a try: sent, failed, given up."),
    ("notices", "hashcache_notices", "direction", "Notices on the channel between processes."),
)
#: Gauges of a process: metric, what one unit of the gauge is in the metric's, what it means.
_GAUGES = {
    "flights": ("hashcache_flights", 1, "Purchases under way."),
    "near_bytes": ("hashcache_near_bytes", 1, "Bytes of entries in near memory."),
    "near_entries": ("hashcache_near_entries", 1, "Entries in near memory."),
    "notice_lag_ms": ("hashcache_notice_lag_seconds", 1000, "How long the last notice from another process took."),
}


def expose(totals: Sums | None, processes: Sequence[Process], *, accept: str) -> tuple[bytes, str]:
    """
    The page and its content type: OpenMetrics where *accept* asks for it, else Prometheus's own text format.

    *totals* None: the ledger is away. *processes*: those whose gauges are known.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Page(totals, processes))
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class _Page(Collector):
    """All metrics of one page: made for it and thrown away, so nothing of it is global."""

    def __init__(self, totals: Sums | None, processes: Sequence[Process]) -> None:
        self._totals = totals
        self._processes = processes

    def collect(self) -> Iterator[Metric]:
        """Every metric."""
        up = GaugeMetricFamily("hashcache_store_up", "Whether the store answered this process just now.")
        up.add_metric([], int(self._totals is not None))
        yield up
        yield from _gauges(self._processes)
        if self._totals is not None:
            yield _requests(self._totals)
            yield _seconds(self._totals)
            yield from _counters(self._totals)


def _requests(totals: Sums) -> Metric:
    metric = CounterMetricFamily("hashcache_requests", "Questions that were answered.", labels=("outcome", "kind"))
    for whole, rest, part in (("hits", "hit", "stale"), ("misses", "miss", "collapsed")):
        for kind, number in sorted(_below(totals, whole)):
            some = totals.get(f"{part}.{kind}", 0)
            metric.add_metric((rest, kind), number - some)
            metric.add_metric((part, kind), some)
    return metric


def _seconds(totals: Sums) -> Metric:
    metric = HistogramMetricFamily("hashcache_request_seconds", "How long answers took.", labels=("outcome",))
    for outcome in ("hit", "miss"):
        below, buckets = 0, []
        for index in range(len(BUCKETS) + 1):
            below += totals.get(f"latency.{outcome}.{index}", 0)
            bound = "+Inf" if index == len(BUCKETS) else str(BUCKETS[index] / 1000)
            buckets.append((bound, float(below)))
        metric.add_metric((outcome,), buckets, totals.get(f"microseconds.{outcome}", 0) / 1_000_000)
    return metric


def _counters(totals: Sums) -> Iterator[Metric]:
    for what, name, label, meaning in _COUNTERS:
        metric = CounterMetricFamily(name, meaning, labels=(label,) if label else ())
        if label:
            for which, number in sorted(_below(totals, what)):
                metric.add_metric((which,), number)
        else:
            metric.add_metric((), totals.get(what, 0) + sum(number for _, number in _below(totals, what)))
        yield metric


def _below(totals: Sums, what: str) -> Iterable[tuple[str, int]]:
    return ((name[len(what) + 1 :], number) for name, number in totals.items() if name.startswith(f"{what}."))


def _gauges(processes: Sequence[Process]) -> Iterator[Metric]:
    started = GaugeMetricFamily(
        "hashcache_process_start_time_seconds",
        "When a process that lives was started, since 1970.",
        labels=("process", "host", "role", "version"),
    )
    for one in processes:
        started.add_metric((one.name, one.host, one.role, one.version), one.started / 1000)
    yield started
    for gauge, (name, unit, meaning) in _GAUGES.items():
        metric = GaugeMetricFamily(name, meaning, labels=("process",))
        for one in processes:
            if gauge in one.gauges:
                metric.add_metric((one.name,), one.gauges[gauge] / unit)
        yield metric
