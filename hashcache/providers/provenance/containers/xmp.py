"""
XMP (ISO 16684-1): an RDF packet, read as it streams by.

Every property is given as a note named by its prefix and name as the standards spell them, whether it is written
as an attribute or as an element. Document type declarations are refused, so no entity can grow; depth and size are
bounded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from hashcache.providers.provenance.findings import Malformed, NotChecked
from hashcache.providers.provenance.pieces import Note

LONGEST_PACKET = 4_000_000
DEEPEST = 100
MOST_NOTES = 2_000
LONGEST_TEXT = 100_000
_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_PREFIXES = {
    "http://iptc.org/std/Iptc4xmpExt/2008-02-29/": "Iptc4xmpExt",
    "http://ns.adobe.com/photoshop/1.0/": "photoshop",
    "http://ns.adobe.com/xap/1.0/": "xmp",
    "http://purl.org/dc/terms/": "dcterms",
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://ns.adobe.com/tiff/1.0/": "tiff",
    "http://ns.adobe.com/exif/1.0/": "exif",
    "http://www.tc260.org.cn/ns/AIGC/1.0/": "TC260",
}


def notes(packet: bytes, where: str) -> Iterator[Note]:
    """
    The properties of *packet* in namespaces that we know.

    Raises:
        Malformed, NotChecked: after everything found so far was given.
    """
    if len(packet) > LONGEST_PACKET:
        raise NotChecked(f"the XMP packet has more than {LONGEST_PACKET} bytes")
    target = _Properties()
    problem: Exception | None = None
    parser = DefusedXMLParser(target=target, forbid_dtd=True)
    try:
        parser.feed(packet.strip(b"\0 \r\n\t"))
        parser.close()
    except NotChecked as found:
        problem = found
    except DefusedXmlException:
        problem = Malformed("the XMP packet declares a document type or entities, which none may")
    except (ParseError, ValueError, LookupError):
        problem = Malformed("the XMP packet is not well-formed XML")
    for name, text in target.found:
        yield Note(name, f"{where} {name}", text)
    if problem is not None:
        raise problem


class _Properties:
    """
    A target for the parser: collects the text of every element and attribute with a known prefix.

    The value of `<p><rdf:Bag><rdf:li>text</rdf:li></rdf:Bag></p>` belongs to p: RDF elements lend their text to the
    nearest property above them.
    """

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []
        self._open: list[tuple[str | None, list[str]]] = []
        self._length = 0

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """An element begins."""
        if len(self._open) >= DEEPEST:
            raise NotChecked(f"the XMP packet is nested more than {DEEPEST} deep")
        for name, value in attributes.items():
            if known := _known(tag if name == f"{_RDF}resource" else name):
                self._keep(known, value)
        inherited = self._open[-1][1] if self._open and tag.startswith(_RDF) else []
        self._open.append((_known(tag), inherited))

    def data(self, text: str) -> None:
        """Some text of the innermost element."""
        self._length += len(text)
        if self._open and self._length <= LONGEST_PACKET:
            self._open[-1][1].append(text)

    def end(self, _tag: str) -> None:
        """The innermost element ends."""
        name, texts = self._open.pop()
        if name is not None and (text := "".join(texts).strip()):
            self._keep(name, text)

    def close(self) -> None:
        """The packet ends."""

    def _keep(self, name: str, text: str) -> None:
        if len(self.found) >= MOST_NOTES:
            raise NotChecked(f"the XMP packet has more than {MOST_NOTES} properties")
        self.found.append((name, text[:LONGEST_TEXT]))


def _known(tag: str) -> str | None:
    """`{namespace}name` as `prefix:name`; None for a namespace that says nothing about origin."""
    space, _, name = tag.removeprefix("{").rpartition("}")
    return f"{_PREFIXES[space]}:{name}" if space in _PREFIXES else None
