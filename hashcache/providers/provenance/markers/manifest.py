"""
C2PA manifest stores: read and validated by the native library of the C2PA project, without any network.

Rule 1: the library sees only files in which a walker of ours found a manifest store. It fetches neither a remote one
        (its default) nor a certificate's state, and no host is allowed to it.
Rule 2: it compares the bytes of files up to COMPARED_UP_TO. It takes memory for all that it hashes, and for JPEG
        twice the file (measured with c2pa-python 0.38.1: a process of 24 MB grew to 78 for 50 MB of MP4, 92 for 50 MB
        of JPEG, 229 for 200 MB of MP4). Of larger files it gets the manifest store alone: then the signature is
        verified, the bytes are not compared, and that is said.
Rule 3: without the library (there is no wheel for every platform) the store is searched for source types, and called
        unverified.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from hashcache.core.result import Confidence
from hashcache.providers.provenance.findings import Finding, NotChecked, Strength, failed, finding, unchecked
from hashcache.providers.provenance.markers import rubric, source_types
from hashcache.providers.provenance.source import Source, Stream

COMPARED_UP_TO = 40_000_000
LONGEST_JSON = 8_000_000
#: A manifest store may be compressed (C2PA 2.2); this bounds what it becomes, in MiB.
_MOST_DECOMPRESSED = 16
_SOURCE_TYPE = re.compile(rb"https?://(?:cv\.iptc\.org/newscodes|c2pa\.org)/digitalsourcetype/([A-Za-z]{3,64})")


class Manifests:
    """
    Reads manifest stores. *library*: the module `c2pa`, or None where it cannot be had.

    *anchors*: certificates in PEM whose signatures are trusted; "" trusts none.
    """

    def __init__(self, library: ModuleType | None, *, anchors: str = "") -> None:
        self._library = library
        self._context: Any = None
        if library is not None:
            settings: dict[str, Any] = {
                "core": {
                    "allowed_network_hosts": [],
                    "max_decompressed_manifest_size_in_mb": _MOST_DECOMPRESSED,
                },
                "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_trust": True},
            }
            if anchors:
                settings["trust"] = {"trust_anchors": anchors}
            self._context = library.Context.from_dict(settings)

    def findings(self, source: Source, media_type: str, store: bytes) -> Iterator[Finding]:
        """
        What the manifest *store* found in *source* says.

        Raises:
            NotChecked: the store is larger or deeper than we read; after everything found so far was given.
        """
        if self._library is None:
            yield from _searched(store, "There is no C2PA library on this machine, so no signature was verified.")
            return
        compared = source.size <= COMPARED_UP_TO
        try:
            text = self._json(media_type, Stream(source)) if compared else self._json(_ALONE, io.BytesIO(store))
        except self._library.C2paError as error:
            yield failed("C2PA manifest", str(error))
            yield from _searched(store, "The manifest could not be read, so no signature was verified.")
            return
        if len(text) > LONGEST_JSON:
            raise NotChecked(f"the C2PA manifests have more than {LONGEST_JSON} characters")
        if not compared:
            yield unchecked("C2PA manifest", f"too large to compare the bytes (over {COMPARED_UP_TO})")
        yield from rubric.findings(json.loads(text), compared=compared)

    def _json(self, media_type: str, stream: io.IOBase) -> str:
        with self._library.Reader(media_type, stream, context=self._context) as reader:  # type: ignore[union-attr]  # only called when there is one
            return str(reader.json())


_ALONE = "application/c2pa"


def _searched(store: bytes, why: str) -> Iterator[Finding]:
    """What can be said of a store without reading it: which source types are named in it."""
    names = {source_types.name(found.decode()) for found in _SOURCE_TYPE.findall(store)} - {None}
    yield finding(
        "c2pa_manifest", "C2PA manifest", "present, not verified", f"The file carries content credentials. {why}"
    )
    for kind in sorted(str(name) for name in names):
        says = source_types.AI.get(kind)
        yield finding(
            f"c2pa_{says.value}" if says else "c2pa_source_type",
            "C2PA manifest",
            f"{kind}, not verified",
            f"The manifest names this source type, for the file or for something it was made from. {why}",
            strength=Strength.WEAK,
            says=says,
            confidence=Confidence.LOW if says else Confidence.NONE,
        )
