"""
Generation parameters: what image generators leave of their settings in the files that they save.

Known: AUTOMATIC1111 and its kin, ComfyUI, InvokeAI, NovelAI, Fooocus, Midjourney. They are told by their form, not
by a name alone; the prompt in them is not repeated.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from hashcache.core.result import Confidence, Verdict
from hashcache.providers.provenance.findings import Finding, Strength, finding
from hashcache.providers.provenance.pieces import Note

#: Settings stand at the end of a prompt: of a longer text, this much is searched at either end.
_SEARCHED = 100_000
#: No unbounded repetition after a common letter: a megabyte of newlines must not cost its square.
_A1111 = re.compile(r"(?:^|[\n,])[ \t]{0,4}Steps: \d{1,4}, ")
_A1111_MORE = re.compile(r"\b(?:Sampler|CFG scale|Seed|Model hash|Schedule type): ")
_COMFYUI = re.compile(r'"class_type"\s*:\s*"|"last_node_id"\s*:\s*\d')
_FOOOCUS = re.compile(r'"(?:adm_guidance|fooocus_v2_expansion|base_model_hash)"|Fooocus v')
_INVOKEAI = re.compile(r'"(?:app_version|generation_mode|positive_prompt|image)"\s*:')
_DREAM = re.compile(r"\s-(?:s|S)\s?\d|\s-C\s?\d")
_NOVELAI = re.compile(r'"(?:steps|sampler|uc|request_type)"\s*:')
_MIDJOURNEY = re.compile(r"\bJob ID: [0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_NOVELAI_SOURCE = re.compile(r"(?:Stable Diffusion|NovelAI Diffusion)\b", re.IGNORECASE)

#: Where a generator writes, and how what it writes looks.
_FORMS: Mapping[str, Callable[[Note, str], bool]] = {
    "Midjourney": lambda _, text: bool(_MIDJOURNEY.search(text)),
    "Fooocus": lambda note, text: (
        note.name == "fooocus_scheme" or (note.name in ("parameters", "UserComment") and bool(_FOOOCUS.search(text)))
    ),
    "AUTOMATIC1111 or a relative": lambda _, text: bool(_A1111.search(text) and _A1111_MORE.search(text)),
    "ComfyUI": lambda _, text: bool(_COMFYUI.search(text)),
    "InvokeAI": lambda note, text: (
        (note.name in ("invokeai_metadata", "sd-metadata", "invokeai_graph") and bool(_INVOKEAI.search(text)))
        or (note.name == "Dream" and bool(_DREAM.search(text)))
    ),
    "NovelAI": lambda note, text: (
        (note.name == "Software" and text.strip() == "NovelAI")
        or (note.name == "Title" and "AI generated image" in text)
        or (note.name == "Source" and bool(_NOVELAI_SOURCE.match(text)))
        or (note.name == "Comment" and text.lstrip().startswith("{") and len(set(_NOVELAI.findall(text))) >= 2)
    ),
}


def parameters(note: Note) -> Finding | None:
    """The generation parameters in *note*, None when it holds none."""
    text = note.text if len(note.text) <= 2 * _SEARCHED else note.text[:_SEARCHED] + note.text[-_SEARCHED:]
    for generator, fits in _FORMS.items():
        if fits(note, text):
            return finding(
                "generation_parameters",
                note.where,
                f"{generator} ({len(note.text)} characters)",
                f"The file holds what {generator} writes into the pictures that it makes. Such settings are rarely "
                "forged, but it is plain metadata: easily removed, and easily written by anybody.",
                strength=Strength.MEDIUM,
                says=Verdict.AI_GENERATED,
                confidence=Confidence.MEDIUM,
            )
    return None
