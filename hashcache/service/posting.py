"""The webhooks of one process, put together from its settings."""

from __future__ import annotations

from hashcache import wiring
from hashcache.core.letter import Sealer
from hashcache.ports import Bounds, WebhookObserver
from hashcache.service.analyse import Analyses
from hashcache.service.delivery import Delivery, Writer
from hashcache.service.webhooks import Webhooks
from hashcache.settings import Settings
from hashcache.wiring import Shared

#: How many leases of a claim a promise is held: whoever died, its purchases are free before its webhooks are.
_LEASES = 4


def webhooks(
    settings: Settings, store: Shared, analyses: Analyses, writer: Writer, observer: WebhookObserver
) -> Webhooks | None:
    """Those that *settings* allow, told of *analyses* by *writer*; None: there are none. Nothing is started."""
    if not settings.webhook_origins:
        return None
    delivery = Delivery(
        analyses.known,
        wiring.postman(),
        writer,
        secrets=settings.webhook_secrets,
        origins=settings.webhook_origins,
        now=store.now,
        chance=wiring.chance,
    )
    return Webhooks(
        store.outbox,
        Sealer(settings.webhook_secrets, wiring.nonce),
        delivery,
        observer,
        holder=wiring.token(),
        bounds=Bounds(settings.webhook_waiting, settings.webhook_tenant_waiting),
        hold=_LEASES * settings.lease,
        quiet=wiring.quiet(settings),
        now=store.now,
        token=wiring.token,
    )
