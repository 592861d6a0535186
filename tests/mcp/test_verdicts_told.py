"""What a proxy tells of its verdicts: to observers in its process, as part of its client's trace, and as log lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from mcp import Client, stdio_client

from guardrail.cli.main import main
from guardrail.telemetry import OpenTelemetryObserver, parent_of
from tests.mcp.conftest import Library

pytest.importorskip("opentelemetry.sdk")

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{SPAN}-01"


def traced(library: Library) -> InMemorySpanExporter:
    """The spans of the proxy that runs in this process."""
    kept = InMemorySpanExporter()
    tracers = TracerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(kept))
    library.settings["observers"] = (OpenTelemetryObserver(tracer_provider=tracers),)
    return kept


@pytest.mark.parametrize(
    ("meta", "joined"),
    [
        ({"traceparent": PARENT}, True),
        ({"traceparent": PARENT, "tracestate": "a=b", "baggage": "user=ada"}, True),
        ({"traceparent": "00-nonsense"}, False),
        ({"traceparent": 7}, False),
        (None, False),
    ],
    ids=["named", "more", "nonsense", "number", "none"],
)
async def test_a_verdict_is_part_of_the_trace_that_the_client_names(library: Library, meta: Any, joined: bool) -> None:
    kept = traced(library)
    async with library.client() as client:
        await client.call_tool("look", {"title": "Emma"}, meta=meta)
    (span,) = [one for one in kept.get_finished_spans() if one.name == "guardrail.assess"]
    parent = None if span.parent is None else trace.format_span_id(span.parent.span_id)
    assert parent == (SPAN if joined else None)
    assert (trace.format_trace_id(span.context.trace_id) == TRACE) is joined


@pytest.mark.parametrize("params", [None, {}, {"_meta": None}, {"_meta": "x"}, {"_meta": []}, {"_meta": {"a": 1}}])
def test_what_is_no_trace_context_changes_nothing(params: Any) -> None:
    before = trace.get_current_span()
    with parent_of(params):
        assert trace.get_current_span() is before


async def test_verdicts_are_lines_on_standard_error_and_the_protocol_is_left_alone(
    library: Library, tmp_path: Path
) -> None:
    library.options, library.elsewhere = ["--log-verdicts"], True
    file = tmp_path / "stderr.txt"
    with file.open("w") as errors:
        async with Client(stdio_client(library.command(), errlog=errors), mode="legacy") as client:
            await client.call_tool("look", {"title": "Emma"})
    lines = [json.loads(line) for line in file.read_text().splitlines() if line.startswith('{"event"')]
    assert [line["event"] for line in lines] == ["guardrail.verdict", "guardrail.permitted"]
    assert lines[0]["tool"] == "look"
    assert "Emma" not in file.read_text()


def test_spans_that_would_be_lost_are_refused(tmp_path: Path) -> None:
    command = ["--store", f"sqlite:///{tmp_path}/g.db", "mcp", "--otel", "--", "true"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code != 0
    assert "opentelemetry-instrument" in str(result.exception or "") + result.output
