"""
What a validated C2PA manifest store says about the origin of the file that carries it. Pure.

Rule 1: after the asset rubric of the C2PA conformance programme (version 1.0): `c2pa.created` with a source type tells
        how the work began; any other editorial action with one of a trained model is an AI edit.
Rule 2: ingredients are walked. The file derives from its `parentOf`, so what was said of that holds; it merely
        contains its `componentOf`.
Rule 3: `validation_state` is not asked, the status codes are: "Invalid" may mean no more than an expired certificate.
        A `mismatch` means that bytes or claims were changed after signing: then the claims are about another file,
        and carry no verdict.
Rule 4: only a certificate on a trust list makes a claim strong: anybody can sign with one of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hashcache.core.result import Confidence, Verdict
from hashcache.providers.provenance.findings import Finding, NotChecked, Strength, finding
from hashcache.providers.provenance.markers import source_types

MOST_MANIFESTS = 100
#: Actions that change nothing that can be seen or heard.
_NON_EDITORIAL = frozenset(
    {
        "c2pa.converted",
        "c2pa.published",
        "c2pa.repackaged",
        "c2pa.transcoded",
        "c2pa.resized.proportional",
        "c2pa.enhanced",
        "c2pa.edited.metadata",
        "c2pa.watermarked",
        "c2pa.watermarked.bound",
        "c2pa.watermarked.unbound",
        "c2pa.redacted",
    }
)
#: Failures of the binding to the file's bytes, which cannot be judged when those were not read.
_BINDINGS = ("assertion.dataHash.", "assertion.bmffHash.", "assertion.boxesHash.", "assertion.collectionHash.")


@dataclass(frozen=True, slots=True)
class _Standing:
    """How much a store's claims are worth: *altered* codes, whether *verified*, *trusted*, in words: *sentence*."""

    altered: tuple[str, ...]
    verified: bool
    trusted: bool
    sentence: str

    @property
    def confidence(self) -> Confidence:
        return Confidence.HIGH if self.trusted and self.verified else Confidence.MEDIUM

    @property
    def strength(self) -> Strength:
        if self.altered:
            return Strength.WEAK
        return Strength.STRONG if self.trusted and self.verified else Strength.MEDIUM


@dataclass(frozen=True, slots=True)
class _Visit:
    """A manifest on the walk: its *label*, and how the file came by it (`active`, `parent` or `component`)."""

    label: str
    relation: str


def findings(store: Mapping[str, Any], *, compared: bool) -> Iterator[Finding]:
    """
    What *store* says (the JSON of c2pa's Reader). *compared*: whether the file's bytes were checked against it.

    Raises:
        NotChecked: more manifests than MOST_MANIFESTS, after those were judged.
    """
    manifests = _mapping(store.get("manifests"))
    active = str(store.get("active_manifest"))
    failures = _failures(store, active, compared=compared)
    standing = _standing(store, failures.get(active, ()), compared=compared)
    yield _presence(_mapping(manifests.get(active)), standing)
    if standing.altered:
        yield finding(
            "tampered_or_edited",
            "C2PA manifest",
            ", ".join(standing.altered),
            "The file or its manifest was changed after it was signed. What the manifest claims is about an earlier "
            "version, or about another file.",
            strength=Strength.MEDIUM,
        )
    for visit in _walk(manifests, active):
        broken = bool(standing.altered) or any(code.endswith("mismatch") for code in failures.get(visit.label, ()))
        for action, kind, agent in _sources(_mapping(manifests.get(visit.label))):
            if judged := _judge(visit, action, kind, agent, standing, broken=broken):
                yield judged


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _mappings(value: object) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _failures(store: Mapping[str, Any], active: str, *, compared: bool) -> Mapping[str, tuple[str, ...]]:
    """The codes of failures by manifest: a status names its manifest in its JUMBF URI, or means the active one."""
    results = _mapping(store.get("validation_results"))
    statuses = [*_mappings(store.get("validation_status"))]
    statuses += _mappings(_mapping(results.get("activeManifest")).get("failure"))
    for delta in _mappings(results.get("ingredientDeltas")):
        statuses += _mappings(_mapping(delta.get("validationDeltas")).get("failure"))
    found: dict[str, tuple[str, ...]] = {}
    for status in statuses:
        _, _, path = str(status.get("url", "")).partition("/c2pa/")
        label = path.partition("/")[0] or active
        code = str(status.get("code", ""))
        if code not in found.get(label, ()) and (compared or not code.startswith(_BINDINGS)):
            found[label] = (*found.get(label, ()), code)
    return found


def _standing(store: Mapping[str, Any], codes: tuple[str, ...], *, compared: bool) -> _Standing:
    results = _mapping(_mapping(store.get("validation_results")).get("activeManifest"))
    successes = {str(status.get("code")) for status in _mappings(results.get("success"))}
    altered = tuple(code for code in codes if code.endswith("mismatch"))
    expired = any(code in ("signingCredential.expired", "claimSignature.outsideValidity") for code in codes)
    doubts = [
        code for code in codes if not code.startswith(("signingCredential.", "claimSignature.outside", "timeStamp."))
    ]
    trusted = "signingCredential.trusted" in successes and not expired
    signed = "claimSignature.validated" in successes
    verified = signed and compared and not doubts
    if altered:
        sentence = "It does not fit this file, or was changed after signing."
    elif not signed:
        sentence = "Its signature could not be verified."
    elif not compared:
        sentence = "Its signature is intact; the file is too large for us to compare its bytes with it."
    elif doubts:
        sentence = f"Its signature is intact, but validation found: {doubts[0][:60]}."
    else:
        sentence = "Its signature is intact and the bytes are those that were signed."
    if signed and not trusted:
        sentence += (
            " The certificate has expired."
            if expired
            else " The certificate is on no trust list that we know: anybody could have issued it."
        )
    return _Standing(altered, verified, trusted, sentence)


def _presence(manifest: Mapping[str, Any], standing: _Standing) -> Finding:
    signature = _mapping(manifest.get("signature_info"))
    signer = " / ".join(str(signature[name]) for name in ("issuer", "common_name") if signature.get(name))
    generators = _mappings(manifest.get("claim_generator_info"))
    maker = str(generators[0].get("name", "")) if generators else str(manifest.get("claim_generator", ""))
    return finding(
        "c2pa_manifest",
        "C2PA manifest",
        f"signed by {signer or 'nobody named'}; made with {maker or 'nothing named'}",
        f"The file carries content credentials (C2PA). {standing.sentence}",
        verified=standing.verified,
    )


def _walk(manifests: Mapping[str, Any], active: str) -> Iterator[_Visit]:
    waiting = [_Visit(active, "active")]
    seen: set[str] = set()
    while waiting:
        visit = waiting.pop(0)
        if visit.label in seen or visit.label not in manifests:
            continue
        if len(seen) >= MOST_MANIFESTS:
            raise NotChecked(f"more than {MOST_MANIFESTS} C2PA manifests")
        seen.add(visit.label)
        yield visit
        for ingredient in _mappings(_mapping(manifests[visit.label]).get("ingredients")):
            is_parent = ingredient.get("relationship") == "parentOf" and visit.relation != "component"
            relation = "parent" if is_parent else "component"
            if ingredient.get("relationship") != "inputTo":  # fed to a tool: no part of the file
                waiting.append(_Visit(str(ingredient.get("active_manifest")), relation))


def _sources(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Action, name of the source type, and program, for all that a manifest says of its source."""
    for assertion in _mappings(manifest.get("assertions")):
        label, content = str(assertion.get("label", "")), _mapping(assertion.get("data"))
        if label.startswith("c2pa.actions"):
            for action in _mappings(content.get("actions")):
                agent = action.get("softwareAgent")
                program = str(agent.get("name", "") if isinstance(agent, dict) else agent or "")
                if kind := source_types.name(str(action.get("digitalSourceType", ""))):
                    yield str(action.get("action", "")), kind, program
        elif kind := source_types.name(str(content.get("Iptc4xmpExt:DigitalSourceType", ""))):
            yield "c2pa.created", kind, ""


def _judge(visit: _Visit, action: str, kind: str, agent: str, standing: _Standing, *, broken: bool) -> Finding | None:
    value = f"{action}: {kind}" + (f" by {agent}" if agent else "")
    where = "C2PA manifest" if visit.relation == "active" else f"C2PA manifest of a {visit.relation} ingredient"
    says: Verdict | None = None
    confidence = standing.confidence
    if kind in source_types.AI and action not in _NON_EDITORIAL:
        says = source_types.AI[kind] if action == "c2pa.created" else Verdict.AI_EDITED
        signal, words = f"c2pa_{says.value}", _SENTENCES[says]
        if visit.relation == "component":
            signal, words = "c2pa_ai_component", "The manifest says that a part placed into this file was made with AI."
            says, confidence = Verdict.AI_EDITED, Confidence.LOW
        elif kind in source_types.DOUBTFUL:
            confidence = Confidence.LOW
    elif kind in source_types.CAPTURE and visit.relation != "component":
        signal, words = "c2pa_captured", "The manifest says that a camera or recorder captured this."
        if standing.trusted and standing.verified:
            says = Verdict.CAPTURED
    else:
        signal, words = "c2pa_source_type", "What the manifest says of the source is not about AI."
    if broken:
        says, words = None, f"{words} It does not fit this file any more, so nothing follows."
    if says is None:
        confidence = Confidence.NONE
    return finding(
        signal,
        where,
        value,
        f"{words} {standing.sentence}",
        strength=Strength.WEAK if broken else standing.strength,
        verified=standing.verified and not broken,
        says=says,
        confidence=confidence,
    )


_SENTENCES = {
    Verdict.AI_GENERATED: "The manifest says that a trained model made this.",
    Verdict.AI_EDITED: "The manifest says that a trained model took part in making or editing this.",
}
