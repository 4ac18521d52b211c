"""The API's document: valid, and of one mind with docs/api.md, docs/errors.md and the code's own problems."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate

from hashcache.api.openapi import document
from hashcache.api.problems import KINDS

ROOT = Path(__file__).parents[2]
EXAMPLE = re.compile(r"^(?:<!-- schema: (\w+) -->\n)?```json\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CALL = re.compile(r"^### (GET|HEAD|POST|PUT|DELETE) ([^\s?]+)", re.MULTILINE)
PROBLEM = re.compile(r"^### `([a-z0-9-]+)` \((\d{3})\): (.+)$", re.MULTILINE)

API = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
EXAMPLES = EXAMPLE.findall(API)
DOCUMENT = document("0.1.0")


def problems_of(schema: str, example: object) -> list[str]:
    """What is wrong with *example*, as one of our *schema*s."""
    within = {"$ref": f"#/components/schemas/{schema}", "components": DOCUMENT["components"]}
    return [error.message for error in OAS31Validator(within).iter_errors(example)]


def media_types() -> list[tuple[str, str, dict[str, Any]]]:
    """Every described body: where it stands, its media type, and what is said of it."""
    described = [(name, response) for name, response in DOCUMENT["components"]["responses"].items()]
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            if method == "parameters":
                continue
            described.append((f"{method} {path}", operation.get("requestBody", {})))
            described += [(f"{method} {path} {status}", answer) for status, answer in operation["responses"].items()]
    return [(where, name, said) for where, body in described for name, said in body.get("content", {}).items()]


def test_document_is_valid() -> None:
    """The document is OpenAPI 3.1, and carries the version that it is asked for."""
    validate(DOCUMENT)
    assert (DOCUMENT["openapi"][:3], DOCUMENT["info"]["version"]) == ("3.1", "0.1.0")


def test_each_caller_gets_a_document_of_his_own() -> None:
    """Whoever changes what he got changes nobody else's."""
    document("1").clear()
    assert document("2")["info"]["version"] == "2"


@pytest.mark.parametrize(("where", "media_type", "said"), media_types())
def test_examples_in_the_document_fit_their_schemas(where: str, media_type: str, said: dict[str, Any]) -> None:
    """Each example in the document is what its schema describes."""
    examples = [one["value"] for one in said.get("examples", {}).values()]
    examples += [said["example"]] if "example" in said else []
    within = {**said["schema"], "components": DOCUMENT["components"]}
    found = [error.message for example in examples for error in OAS31Validator(within).iter_errors(example)]
    assert not found, f"{where} {media_type}"


@pytest.mark.parametrize(("schema", "text"), EXAMPLES)
def test_examples_in_the_prose_fit_the_document(schema: str, text: str) -> None:
    """Each JSON block of docs/api.md parses, names its schema and fits it."""
    assert schema, f"say which schema this is, with a comment above it:\n{text}"
    assert problems_of(schema, json.loads(text)) == []


def test_an_absent_member_is_noticed() -> None:
    """The comparison above finds an answer that leaves out what it does not know."""
    assert problems_of("Pending", {"success": True, "status": "pending"})
    assert problems_of("ClearProgress", {"success": True, "id": "7", "deleted": 1, "done": True, "at": "x", "why": ""})


def test_prose_and_document_know_the_same_calls() -> None:
    """docs/api.md has a section for every operation of the document, and for nothing else."""
    told = {(method.lower(), path) for method, path in CALL.findall(API)}
    listed = {
        (method, path) for path, methods in DOCUMENT["paths"].items() for method in methods if method != "parameters"
    }
    assert told == listed


def test_every_problem_is_explained() -> None:
    """docs/errors.md explains exactly the problems that the code knows, each with its status and title."""
    explained = PROBLEM.findall((ROOT / "docs" / "errors.md").read_text(encoding="utf-8"))
    assert {(slug, int(status), title) for slug, status, title in explained} == {
        (kind.slug, kind.status, kind.title) for kind in KINDS.values()
    }
    assert len(explained) == len(KINDS)


def test_every_problem_is_in_the_document() -> None:
    """The document lists exactly the types of problems that the code knows, and its examples are such."""
    types = DOCUMENT["components"]["schemas"]["Problem"]["properties"]["type"]["enum"]
    assert sorted(types) == sorted(f"urn:hashcache:problem:{slug}" for slug in KINDS)
    for _where, media_type, said in media_types():
        if media_type == "application/problem+json":
            kind = KINDS[said["example"]["type"].rpartition(":")[2]]
            assert (said["example"]["status"], said["example"]["title"]) == (kind.status, kind.title)


def test_error_responses_are_described_once() -> None:
    """Every status of 400 and above refers to a problem whose types have that status (HEAD answers have no body)."""
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            if method in {"parameters", "head"}:
                continue
            for status, answer in operation["responses"].items():
                if int(status) >= 400:
                    name = answer["$ref"].rpartition("/")[2]
                    said = DOCUMENT["components"]["responses"][name]
                    example = said["content"]["application/problem+json"]["example"]
                    assert example["status"] == int(status), f"{method} {path} {status}"
