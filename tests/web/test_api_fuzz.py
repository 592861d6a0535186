"""The whole API, tried by its own description: no answer is a failure of ours, and every answer is as described."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.generation.modes import GenerationMode

from guardrail.store import MemoryStore, Store
from guardrail.web import Settings
from tests.web.serving import ANA, As, Site

_CHECKED = ["not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance"]
_USUAL: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "phases": (Phase.explicit, Phase.generate),
    "database": None,
}


def described(store: Store) -> Any:
    """The description of an application over the store, with ids of reviews that are there."""
    load_all_checks()
    site = Site(store=store, settings=Settings(url="http://testserver", stream_seconds=0.02, heartbeat_seconds=0.01))
    reviews = [*(site.ask() for _ in range(4)), *(site.ask_low() for _ in range(4))]
    site.queue.claim(reviews[0].id, by="ben")
    site.queue.reject(reviews[1].id, by="ben", message="no")
    site.ask(tenant="other")
    app = As(site.app, ANA)
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", app)
    for path, methods in schema.raw_schema["paths"].items():
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path":
                    known = [one.id if "review" in path else one.record_id for one in reviews]
                    parameter["schema"] = {"anyOf": [{"enum": known}, parameter["schema"]]}
    schema.raw_schema["components"]["schemas"]["Decide"]["properties"]["seen_digest"] = {
        "type": "string",
        "enum": [one.digest for one in reviews],
    }
    return schema


def tried(schema: Any, examples: int) -> int:
    """Every operation with so many right and so many wrong requests; how many there were."""
    count = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        for mode in GenerationMode:

            @given(operation.as_strategy(generation_mode=mode))
            @settings(max_examples=examples, **_USUAL)
            def one(case: Any) -> None:
                nonlocal count
                count += 1
                answer = case.call()
                case.validate_response(answer, checks=CHECKS.get_by_names(_CHECKED))

            try:
                one()
            except Unsatisfiable:  # nothing could be wrong with it
                assert mode is GenerationMode.NEGATIVE
    return count


def test_every_answer_is_as_described() -> None:
    assert tried(described(MemoryStore()), 4) > 100


@pytest.mark.slow
def test_every_answer_is_as_described_at_length(store: Store) -> None:
    examples = 100 if store.url.startswith("memory:") else 25
    assert tried(described(store), examples) > 20 * examples
