"""
From values to providers: which are asked for which kind, and what each still lacks.

Rule 1: a list for one kind is taken at its word: a provider in it that does not do the kind is an error. The list for
        all kinds is filtered by what each can do; a kind that nobody does is left to the embedded provider.
Rule 2: a provider that is listed needs its account, and an account needs all its parts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hashcache.core.content import Kind
from hashcache.settings.knobs import KNOBS
from hashcache.settings.model import FREE_PROVIDER, Generic, Vendor
from hashcache.settings.vendors import KNOWN

#: The beginnings of the values that `check_providers` needs.
PROVIDING = ("generic.", *(f"{name}." for name in KNOWN))
_PLAIN = frozenset(Vendor.__annotations__)


def chains(values: Mapping[str, Any]) -> dict[Kind, tuple[str, ...]]:
    """The providers of each kind, in order of fallback."""
    return {kind: _chain(values, kind) for kind in Kind}


def generic_of(values: Mapping[str, Any]) -> Generic | None:
    """The generic provider, if it is configured."""
    parts = _parts(values, "generic")
    if parts["url"] is None:
        return None
    return Generic(**parts | {"headers": parts["headers"] or {}})


def vendors_of(values: Mapping[str, Any]) -> dict[str, Vendor]:
    """The accounts that are complete, by name."""
    found = {}
    for name, known in KNOWN.items():
        parts = _parts(values, name)
        if all(parts[secret] is not None for secret in known.secrets):
            plain = {part: value for part, value in parts.items() if part in _PLAIN}
            options = {part: value for part, value in parts.items() if part not in _PLAIN and value is not None}
            found[name] = Vendor(**plain, options=options)
    return found


def check_providers(values: Mapping[str, Any], given: Mapping[str, str]) -> list[str]:
    """What is missing, a line each; *given* names the variables that were set, by the attribute."""
    problems = [*_check_kinds(values)]
    users = {name: [kind.value for kind in Kind if name in _chain(values, kind)] for name in ("generic", *KNOWN)}
    for name, kinds in users.items():
        parts = _parts(values, name)
        needed = ("url",) if name == "generic" else tuple(KNOWN[name].secrets)
        # An epoch or a budget may stay when a provider is taken out; an address or a key alone is a mistake.
        about = [variable for into, variable in given.items() if into.startswith(f"{name}.")]
        if not kinds and not (about and (name == "generic" or any(parts[part] is not None for part in needed))):
            continue
        why = f"{name} is the provider of {', '.join(kinds)}" if kinds else f"{about[0]} is set"
        for part in needed:
            if parts[part] is None:
                knob = next(knob for knob in KNOBS if knob.into == f"{name}.{part}")
                problems.append(f"{knob.name} is missing, but {why}; for example {knob.name}={knob.example}")
    return problems


def _check_kinds(values: Mapping[str, Any]) -> Iterator[str]:
    for kind in Kind:
        for name in values[f"provider.{kind.value}"] or ():
            if not _does(name, kind):
                setting = f"HASHCACHE_{kind.value.upper()}_PROVIDER"
                able = next(other for other in KNOWN if _does(other, kind))
                yield f"{setting} names {name}, which does not analyse {kind.value}s; for example {setting}={able}"


def _chain(values: Mapping[str, Any], kind: Kind) -> tuple[str, ...]:
    named: tuple[str, ...] | None = values[f"provider.{kind.value}"]
    if named is not None:
        return named
    return tuple(name for name in values["provider.all"] if _does(name, kind)) or (FREE_PROVIDER,)


def _does(name: str, kind: Kind) -> bool:
    return name not in KNOWN or kind in KNOWN[name].kinds


def _parts(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The values of one provider, by the part after its name."""
    return {into.removeprefix(f"{name}."): value for into, value in values.items() if into.startswith(f"{name}.")}
