"""Text: what is hidden in it, what its scripts need, and phrases of assistants."""

# ruff: noqa: RUF001  letters of many scripts are what this file is about

from __future__ import annotations

import pytest

from tests.harness.analysis import judge


@pytest.mark.parametrize(
    ("text", "signal", "value"),
    [
        ("in\u200bvisi\u200bble", "hidden_characters", "U+200B (2); at 2, 7"),
        ("a\u2060b\u2063c", "hidden_characters", "U+2060 (1), U+2063 (1); at 1, 3"),
        ("soft\u00adhyphen", "hidden_characters", "U+00AD (1); at 4"),
        ("mark in the middle\ufeff", "hidden_characters", "U+FEFF (1); at 18"),
        ("data\ufe00\ufe01\U000e0100", "hidden_characters", "U+FE00 (1), U+FE01 (1), U+E0100 (1); at 4, 5, 6"),
        ("join\u200der", "hidden_characters", "U+200D (1); at 4"),
        ("blank\u2800 \u3164", "hidden_characters", "U+2800 (1), U+3164 (1); at 5, 7"),
        ("pay \u202e001 DSU", "bidirectional_characters", "U+202E (1); at 4"),
        ("left\u200eright", "bidirectional_characters", "U+200E (1); at 4"),
        ("a\u2066b\u2069", "bidirectional_characters", "U+2066 (1), U+2069 (1); at 1, 3"),
        ("שלום \u202eabc", "bidirectional_characters", "U+202E (1); at 5"),
        ("hi\U000e0069\U000e0067\U000e006e", "tag_characters", "3 characters that spell: ign"),
        ("thin\u2009space\u202fhere", "unusual_spaces", "U+2009 (1), U+202F (1); at 4, 10"),
        ("p\u0430ypal and m\u0456crosoft", "mixed_script", "2 words: p\u0430ypal at 0, m\u0456crosoft at 11"),
        ("G\u03bfogle", "mixed_script", "1 words: G\u03bfogle at 0"),
    ],
)
def test_hidden_and_misleading_characters_are_evidence_and_no_verdict(text: str, signal: str, value: str) -> None:
    """Each is reported with its characters and offsets, and leaves the text `inconclusive`."""
    judged = judge(text.encode())
    assert (judged.verdict, judged.confidence) == ("inconclusive", "none")
    assert judged.signals == {signal}
    assert judged.only(signal).value == value


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffA byte order mark at the start.",
        "A family \U0001f468\u200d\U0001f469\u200d\U0001f467, a heart \u2764\ufe0f, a key 1\ufe0f\u20e3.",
        "A flag \U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f for Scotland.",
        "می\u200cخواهم و نمی\u200cدانم",
        "क्\u200dष और क्\u200cष",
        "بسم الله \u200f(abc)\u200e\u061c \u2067x\u2069",
        "שלום \u200f- עולם",
        "ไทย\u200bภาษา",
        "Un prix\u00a0: 5\u202f000\u00a0€\u202f! «\u00a0Oui\u00a0»",
        "漢字\U000e0100と葛\ufe00　空白",
        "5 kΩ, 3 μm, Δt = 2, πr², αβ-test",
        "Привет, мир. Hello, world. Γειά σου Κόσμε.",
        "ᄀᅠ \u2801\u2800\u2802",
        "plain ASCII and naïve café œuvre",
    ],
)
def test_what_scripts_and_emoji_need_is_not_reported(text: str) -> None:
    """Joiners, selectors, marks and spaces are legal where a script, an emoji or typography needs them."""
    judged = judge(text.encode())
    assert judged.signals == set()
    assert judged.verdict == "inconclusive"


@pytest.mark.parametrize(
    "text",
    [
        "Sure. As an AI language model, I cannot travel.",
        "As of my last knowledge update in 2023 it was so.",
        "I'm an AI assistant and have no taste.",
        "I can\u2019t fulfill this request.",
        "See the figures:contentReference[oaicite:3] here.",
        "https://example.org/?utm_source=chatgpt.com",
        "Als KI-Sprachmodell habe ich keine Meinung.",
        "En tant que modèle de langage, je ne sais pas.",
        "作为一个人工智能语言模型，我不能",
    ],
)
def test_a_phrase_of_an_assistant_counts_little(text: str) -> None:
    """Such a phrase makes `ai_generated` (low), quoted with its offset."""
    judged = judge(text.encode())
    assert (judged.verdict, judged.confidence) == ("ai_generated", "low")
    evidence = judged.only("disclosure_phrase")
    assert evidence.where.startswith("character ")
    assert evidence.value


@pytest.mark.parametrize(
    "text",
    [
        'He wrote "As an AI language model, I cannot" and left.',
        "Das Modell sagte „Als KI-Sprachmodell bin ich“ zu mir.",
        "> As an AI language model, I cannot\nI disagree.",
    ],
)
def test_a_quoted_phrase_carries_no_verdict(text: str) -> None:
    """People quote assistants: in quotation marks, or on a quoted line, the phrase is weak evidence only."""
    judged = judge(text.encode())
    assert (judged.verdict, judged.confidence) == ("inconclusive", "none")
    assert judged.only("disclosure_phrase").strength == "weak"


def test_offsets_count_characters() -> None:
    """An offset is a number of characters, not of bytes: it can be used on the decoded text."""
    text = "äöü€ As an AI language model"
    judged = judge(text.encode())
    assert judged.only("disclosure_phrase").where == f"character {text.index('As')}"


def test_only_the_start_of_a_very_long_text_is_read() -> None:
    """What follows the first 4 MB is said to be unread; no more than that is decoded."""
    judged = judge(b"a" * 4_000_001)
    assert judged.only("not_checked").value == "not checked: what follows the first 4000000 bytes"
    assert any("4000000" in words for words in judged.report.not_checked)
