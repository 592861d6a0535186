"""The published description is what the application does."""

from __future__ import annotations

import json
from typing import Any

from click.testing import CliRunner

from guardrail.cli.main import main
from guardrail.web.errors import KINDS, OTHERS
from tests.support.schemas import API, FOLDER, api, text
from tests.web.serving import Site


def operations(found: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(path, method, one) for path, methods in found["paths"].items() for method, one in methods.items()]


def test_the_published_file_is_what_the_code_says() -> None:
    assert (FOLDER / API).read_text(encoding="utf-8") == text(api()), "run: python -m tests.support.schemas"


def test_the_server_and_the_command_line_give_it_too(site: Site) -> None:
    published = json.loads((FOLDER / API).read_text(encoding="utf-8"))
    assert site.client(None).get("/api/v1/openapi.json").json() == published
    assert json.loads(CliRunner().invoke(main, ["schema", "api"]).output) == published


def test_every_operation_is_described_in_whole() -> None:
    found = api()
    assert found["openapi"].startswith("3.1")
    schemes = found["components"]["securitySchemes"].keys()
    names = []
    for path, method, one in operations(found):
        names.append(one["operationId"])
        assert one["summary"], path
        assert one["description"], path
        assert one["tags"], path
        assert "500" in one["responses"]
        assert one["security"] == ([] if path.endswith("openapi.json") else [{name: []} for name in schemes]), path
        if method == "post":
            assert {"400", "401", "403", "404", "409", "413", "415", "422"} <= one["responses"].keys(), path
        for status, answer in one["responses"].items():
            kinds = [*answer.get("content", {})]
            assert (
                kinds == ["application/problem+json"] if int(status) >= 400 else kinds != ["application/problem+json"]
            )
        for parameter in one.get("parameters", ()):
            assert parameter["name"] in ("last-event-id", "state", "tier") or parameter["schema"], path
    assert len(set(names)) == len(names)


def test_what_is_sent_takes_nothing_else() -> None:
    schemas = api()["components"]["schemas"]
    sent = [
        one["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        for _, method, one in operations(api())
        if method == "post" and "requestBody" in one
    ]
    assert len(sent) >= 7
    for name in sent:
        assert schemas[name]["additionalProperties"] is False, name
    assert set(schemas["Decide"]["required"]) == {"type", "seen_digest"}


def test_all_kinds_of_problems_are_listed() -> None:
    listed = api()["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]
    assert set(listed) == {kind.code for kind in (*OTHERS, *(kind for _, kind in KINDS))}
