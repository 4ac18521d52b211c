"""
What the notes of a file declare: each rule reads one note.

Rule 1: all of these are plain text that anybody can write or remove, so none is `strong` or `verified`.
Rule 2: a program's name counts only where programs sign (Software, CreatorTool, Credit ...), never in a caption:
        people write about generators, and bare words such as "flux" or "firefly" are ordinary ones.
Rule 3: a camera's data are weak, and never evidence of a human hand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import urlsplit

from hashcache.core.result import Confidence, Verdict
from hashcache.providers.provenance.findings import Finding, Strength, finding
from hashcache.providers.provenance.markers import generation, source_types, tc260
from hashcache.providers.provenance.pieces import Note

#: Where programs write their own name.
_SIGNATURES = frozenset(
    {
        "Software",
        "Encoder",
        "Credit",
        "Source",
        "OriginatingProgram",
        "Artist",
        "Make",
        "Model",
        "software",
        "xmp:CreatorTool",
        "photoshop:Credit",
        "photoshop:Source",
        "dc:creator",
        "tiff:Software",
        "tiff:Make",
    }
)
_GENERATORS = re.compile(
    r"(?<!\w)(?:midjourney|dall[·\-\s]?e(?:\s?\d)?|stable[\s-]?diffusion|comfyui|invokeai|novelai|fooocus|automatic1111|"
    r"adobe firefly|google gemini|nano banana|made with google ai|imagen \d|veo \d|flux\.\d|black forest labs|"
    r"openai|chatgpt|gpt-image-\d|sora \d|bing image creator|ideogram(?:\.ai)?|leonardo\.ai|recraft(?:\.ai)?|"
    r"runway gen-?\d|runwayml|luma dream machine|pika labs|kling ai|hailuo ai|dreamina|jimeng|doubao|meta ai|"
    r"xai grok|grok imagine|draw things|dreamstudio|nightcafe|playground ai|即梦|豆包|可灵|通义万相|文心一格)(?!\w)",
    re.IGNORECASE,
)
_EDITED = re.compile(r"edited with google ai|generative fill|magic editor", re.IGNORECASE)
_SYSTEMS = ("Iptc4xmpExt:AISystemUsed", "Iptc4xmpExt:AISystemVersionUsed")
_PROMPTS = ("Iptc4xmpExt:AIPromptInformation", "Iptc4xmpExt:AIPromptWriterName")
_FORGEABLE = "It is plain metadata: easily removed, and easily written by anybody."


def findings(notes: Sequence[Note]) -> Iterator[Finding]:
    """What *notes* declare; at most one finding a note, and one for the camera."""
    for note in notes:
        judged = next(filter(None, (rule(note) for rule in _RULES)), None)
        if judged is not None:
            yield judged
    yield from _camera(notes)


def _source_type(note: Note) -> Finding | None:
    if note.name not in ("Iptc4xmpExt:DigitalSourceType", "Iptc4xmpExt:DigitalSourcefileType"):
        return None
    kind = source_types.name(note.text)
    says = source_types.AI.get(kind or "")
    confidence = Confidence.NONE
    if says is not None:
        confidence = Confidence.LOW if kind in source_types.DOUBTFUL else Confidence.MEDIUM
    words = "a trained model made it or took part" if says else "a source that is not called AI"
    return finding(
        "digital_source_type",
        note.where,
        kind or note.text,
        f"The IPTC digital source type declares {words}. {_FORGEABLE}",
        strength=Strength.MEDIUM if says else Strength.WEAK,
        says=says,
        confidence=confidence,
    )


def _system(note: Note) -> Finding | None:
    if note.name not in (*_SYSTEMS, *_PROMPTS):
        return None
    value = note.text if note.name in _SYSTEMS else f"present ({len(note.text)} characters)"
    return finding(
        "ai_system_used",
        note.where,
        value,
        f"IPTC metadata names an AI system or a prompt used for this file. {_FORGEABLE}",
        strength=Strength.MEDIUM,
        says=Verdict.AI_GENERATED,
        confidence=Confidence.LOW,
    )


def _program(note: Note) -> Finding | None:
    if note.name not in _SIGNATURES:
        return None
    edited = _EDITED.search(note.text)
    found = edited or _GENERATORS.search(note.text)
    if found is None:
        return None
    return finding(
        "generator_software",
        note.where,
        note.text,
        f"The file names an AI generator as the program or service it comes from. {_FORGEABLE}",
        strength=Strength.WEAK,
        says=Verdict.AI_EDITED if edited else Verdict.AI_GENERATED,
        confidence=Confidence.LOW,
    )


def _remote(note: Note) -> Finding | None:
    if note.name != "dcterms:provenance" or note.text.startswith("self#"):  # within this very file: found there
        return None
    try:
        host = urlsplit(note.text).hostname or "an unnamed place"
    except ValueError:
        host = "an address that is none"
    return finding(
        "c2pa_remote",
        note.where,
        f"at {host}, not fetched",
        "The file says that its content credentials (C2PA) lie elsewhere. They were not fetched: "
        "hashcache never opens a connection that a file asks for.",
    )


_RULES: Sequence[Callable[[Note], Finding | None]] = (
    _source_type,
    _system,
    _remote,
    tc260.label,
    generation.parameters,
    _program,
)


def _camera(notes: Sequence[Note]) -> Iterator[Finding]:
    """A camera's make and model together with its exposure."""
    texts = {note.name: note for note in reversed(notes)}
    make, model, exposure = (texts.get(name) for name in ("Make", "Model", "Exposure"))
    if exposure is None or (make is None and model is None):
        return
    value = " ".join(note.text for note in (make, model) if note is not None)
    yield finding(
        "camera_exif",
        exposure.where,
        value,
        f"EXIF names a camera and its exposure ({exposure.text}). Anybody can write that, so it does not show that a "
        "person or a camera made the picture.",
        strength=Strength.WEAK,
    )
