"""
Phrases with which a chat assistant speaks of itself, left in a text.

Rule 1: the phrase is quoted with its offset, so that a person can judge it.
Rule 2: people quote such phrases. Within quotation marks, or on a quoted line of a message, it carries no verdict.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from hashcache.core.result import Confidence, Verdict
from hashcache.providers.provenance.findings import Finding, Strength, finding

MOST = 5
_PHRASES = re.compile(
    r"\bas an? (?:AI|artificial intelligence)(?: language)? (?:model|assistant)\b"
    r"|\bas a large language model\b"
    r"|\bI(?:'|\u2019| a)m (?:just |only )?an AI(?: language)? (?:model|assistant)\b"
    r"|\bI am (?:ChatGPT|Gemini|Claude), (?:an?|a large) (?:AI|language)\b"
    r"|\b(?:as of )?my (?:last )?knowledge (?:cut-?off|update)\b"
    r"|\bas of my last (?:training|knowledge) (?:cut-?off|update)\b"
    r"|\bI (?:cannot|can't|can\u2019t) (?:fulfil|fulfill|complete) (?:this|that|your) request\b"
    r"|:contentReference\[oaicite:\d+\]|\bturn\d{1,3}search\d{1,3}\b|[?&]utm_source=chatgpt\.com\b"
    r"|\bals (?:ein )?KI-Sprachmodell\b|\ben tant que modèle de langage\b|\bcomo (?:un )?modelo de lengua(?:je)?\b"
    r"|\bcome modello linguistico\b|\bкак языковая модель\b"  # noqa: RUF001  Russian is meant
    r"|作为一个?(?:人工智能|AI)(?:语言)?模型|AI(?:言語)?モデルとして",
    re.IGNORECASE,
)
_OPENING = "\"'“„«\u2039\u2018「『"


def findings(text: str) -> Iterator[Finding]:
    """The first MOST of such phrases in *text*."""
    for number, phrase in enumerate(_PHRASES.finditer(text)):
        if number >= MOST:
            return
        quoted = _is_quoted(text, phrase.start())
        yield finding(
            "disclosure_phrase",
            f"character {phrase.start()}",
            text[max(0, phrase.start() - 30) : phrase.end() + 30],
            "An assistant's way of speaking of itself"
            + (", in a quotation: it may well be a person who quotes it." if quoted else ". People quote it, too."),
            strength=Strength.WEAK if quoted else Strength.MEDIUM,
            says=None if quoted else Verdict.AI_GENERATED,
            confidence=Confidence.NONE if quoted else Confidence.LOW,
        )


def _is_quoted(text: str, at: int) -> bool:
    """Whether the line up to *at* begins as a quoted one, or has an opening quotation mark shortly before."""
    line = text[max(text.rfind("\n", 0, at) + 1, at - 200) : at]
    return line.lstrip().startswith(">") or line[-40:].rstrip()[-1:] in (*_OPENING,) or bool(_OPEN.search(line[-120:]))


#: An opening mark without its closing one after it.
_OPEN = re.compile(r"(?:^|[\s(])[\"“„«\u2039「『][^\"”“»\u203a」』]*$")
