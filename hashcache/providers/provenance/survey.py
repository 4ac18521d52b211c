"""
One file from its bytes to a report: which walker, which markers, and what was not looked at.

Rule 1: whatever goes wrong with one piece is said as evidence; the others are still read.
Rule 2: manifests come last, because they are read by native code, which bytes may bring down: what was found before
        is handed out first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TypeVar

from hashcache.core.content import Kind
from hashcache.providers.provenance.containers import WALKERS, exif, xmp
from hashcache.providers.provenance.findings import Finding, Malformed, NotChecked, Report, failed, unchecked
from hashcache.providers.provenance.markers import characters, declared, lookalikes, phrases
from hashcache.providers.provenance.markers.manifest import Manifests
from hashcache.providers.provenance.pieces import Note, Part, Piece
from hashcache.providers.provenance.source import Memory, Source

MOST_FINDINGS = 60
#: All pieces of metadata together: how many, and how many bytes or characters are held and searched.
MOST_PIECES = 5_000
MOST_METADATA = 20_000_000
MOST_STORES = 4
#: More text than the service takes by default; only its start is looked at beyond.
LONGEST_TEXT = 4_000_000

_MEDIA_CHECKED = ("C2PA content credentials", "XMP and IPTC", "EXIF", "texts of generators", "the AIGC label (TC260)")
_MEDIA_NOT_CHECKED = ("what is seen and heard: invisible watermarks such as SynthID, traces of generation",)
_TEXT_CHECKED = ("hidden characters", "writing direction", "mixed scripts", "phrases of assistants")
_TEXT_NOT_CHECKED = ("style, and statistical watermarks",)

_Found = TypeVar("_Found")


class Survey:
    """Reads one file after the other; *manifests* reads the C2PA manifest stores found in them."""

    def __init__(self, manifests: Manifests) -> None:
        self._manifests = manifests

    def of(self, source: Source, kind: Kind, media_type: str) -> Iterator[Report]:
        """Reports of growing completeness; the last one is whole. Raises nothing because of the bytes."""
        if kind is Kind.TEXT:
            yield _text(source)
        elif media_type not in WALKERS:
            nowhere = f"metadata: {media_type} has no place for any that we read"
            yield _report([], (), (nowhere, *_MEDIA_NOT_CHECKED))
        else:
            yield from self._media(source, media_type)

    def _media(self, source: Source, media_type: str) -> Iterator[Report]:
        findings: list[Finding] = []
        notes: list[Note] = []
        stores: list[Piece] = []
        for piece in _collected(media_type, partial(_at_most, WALKERS[media_type], source), findings):
            if isinstance(piece, Note):
                notes.append(piece)
            elif piece.part is Part.C2PA:
                stores.append(piece)
            elif piece.part is Part.EXIF:
                notes += _collected(piece.where, partial(exif.notes, Memory(piece.body), piece.where), findings)
            else:
                notes += _collected(piece.where, partial(xmp.notes, piece.body, piece.where), findings)
        findings += _collected("declared metadata", partial(declared.findings, notes), findings)
        if stores:
            yield _report(findings, _MEDIA_CHECKED, _MEDIA_NOT_CHECKED, complete=False)
        for store in stores[:MOST_STORES]:
            judged = partial(self._manifests.findings, source, media_type, store.body)
            findings += _collected(store.where, judged, findings)
        yield _report(findings, _MEDIA_CHECKED, _MEDIA_NOT_CHECKED)


def _text(source: Source) -> Report:
    findings: list[Finding] = []
    text = source.at(0, LONGEST_TEXT).decode("utf-8", "ignore")
    if source.size > LONGEST_TEXT:
        findings.append(unchecked("text", f"what follows the first {LONGEST_TEXT} bytes"))
    for marker in (phrases, characters, lookalikes):
        findings += _collected("text", partial(marker.findings, text), findings)
    return _report(findings, _TEXT_CHECKED, _TEXT_NOT_CHECKED)


def _report(
    findings: list[Finding], checked: tuple[str, ...], not_checked: tuple[str, ...], *, complete: bool = True
) -> Report:
    kept = sorted(findings, key=lambda one: one.says is None)[:MOST_FINDINGS]
    skipped = [f"{one.evidence.where}: {one.evidence.value}" for one in kept if one.evidence.signal == "not_checked"]
    return Report(tuple(kept), checked, (*not_checked, *skipped), complete)


def _at_most(walk: Callable[[Source], Iterator[Piece | Note]], source: Source) -> Iterator[Piece | Note]:
    """What *walk* finds, but for texts that are too many: a manifest that follows megabytes of them is still found."""
    held = number = 0
    for number, found in enumerate(walk(source), start=1):
        held += len(found.text if isinstance(found, Note) else found.body)
        if (number <= MOST_PIECES and held <= MOST_METADATA) or not isinstance(found, Note):
            yield found
    if number > MOST_PIECES or held > MOST_METADATA:
        raise NotChecked(f"more than {MOST_PIECES} pieces or {MOST_METADATA} bytes of metadata")


def _collected(where: str, read: Callable[[], Iterable[_Found]], findings: list[Finding]) -> list[_Found]:
    """All that *read* gives until it ends or breaks; why it broke goes to *findings*."""
    found: list[_Found] = []
    try:
        found.extend(read())
    except NotChecked as limit:
        findings.append(unchecked(where, str(limit)))
    except Malformed as damage:
        findings.append(failed(where, str(damage)))
    except Exception as surprise:  # noqa: BLE001  bytes from strangers: whatever it is, it is said, and the rest is read
        findings.append(failed(where, type(surprise).__name__))
    return found
