"""The notebook of the examples runs, says what the library says, and was committed as it runs."""

from __future__ import annotations

import base64
import json
import math
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import nbformat
import pytest

from guardrail import Guard, Label, PlanningStep, Policy, Sample, StepVerdict, ToolCall, codec, open_store
from guardrail.calibration import calibrate, labelled_calls
from guardrail.sampling import ScriptedSampler
from guardrail.types import LabelSource, Token
from guardrail_langgraph.demo.labelled.recorded_requests import load as load_requests
from guardrail_langgraph.demo.labelled.traffic import requests
from guardrail_langgraph.demo.recording import Drawn, Recording
from guardrail_langgraph.demo.recording import load as load_tasks
from guardrail_langgraph.demo.shop import Shop, shop_tools
from guardrail_langgraph.messages import tool_specs_from

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "examples" / "from_samples_to_verdict.ipynb"
TOLD = """
import json
from guardrail import codec
print(json.dumps({
    "numbers": {text: numbers(text) for text in (DAMAGED, LATE, PERCENT)},
    "calibration": codec.to_json(calibration.policy),
    "past": [request.id for request in past],
    "ran": [(request.id, verdict.route == "execute") for request, (verdict, _) in zip(newer, newly)],
}))
"""
# Sockets in files: a port may be taken until it is used. In a process of its own: what a notebook's client leaves open
# ends with it.
RUN = """
import sys
from pathlib import Path
import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

path = Path(sys.argv[1])
notebook = nbformat.read(path, as_version=4)
kernel = AsyncKernelManager(kernel_name="python3", transport="ipc", ip=str(path.parent / "k"))
where = {"metadata": {"path": str(path.parent)}}
NotebookClient(notebook, km=kernel, timeout=300, startup_timeout=300, resources=where).execute()
nbformat.write(notebook, path)
"""
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def committed() -> Any:
    return nbformat.reads(NOTEBOOK.read_text("utf-8"), as_version=4)  # type: ignore[no-untyped-call]  # it has no types


def code_of(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def told(cell: Any) -> str:
    """What a cell prints; what a library complains of is not part of it."""
    return "".join(one.text for one in cell.outputs if one.output_type == "stream" and one.name == "stdout")


def pictures(cell: Any) -> list[bytes]:
    found = [one.data["image/png"] for one in cell.outputs if one.output_type == "display_data"]
    return [base64.b64decode(one) for one in found]


@pytest.fixture(scope="module")
def ran() -> Iterator[Any]:
    notebook = committed()
    for cell in code_of(notebook):
        cell.outputs = []
    notebook.cells.append(nbformat.v4.new_code_cell(TOLD, id="told"))  # type: ignore[no-untyped-call]  # as above
    # A short path: that of a socket in a file is limited.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "n.ipynb"
        path.write_text(nbformat.writes(notebook), "utf-8")  # type: ignore[no-untyped-call]  # as above
        environment = {**os.environ, "JUPYTER_RUNTIME_DIR": folder, "MPLCONFIGDIR": folder}
        run = [sys.executable, "-c", RUN, str(path)]
        done = subprocess.run(run, env=environment, capture_output=True, text=True, timeout=900, check=False)
        assert done.returncode == 0, done.stderr
        yield nbformat.reads(path.read_text("utf-8"), as_version=4)  # type: ignore[no-untyped-call]  # as above


def test_it_prints_what_was_committed(ran: Any) -> None:
    now, then = code_of(ran)[:-1], code_of(committed())
    for one, other in zip(now, then, strict=True):
        assert NUMBER.sub("0", told(one)) == NUMBER.sub("0", told(other)), one.id
        numbers = [[float(number) for number in NUMBER.findall(told(cell))] for cell in (one, other)]
        assert numbers[0] == pytest.approx(numbers[1], rel=0.02, abs=0.01), one.id  # fits differ a little


def test_each_picture_is_there_and_small(ran: Any) -> None:
    now, then = code_of(ran)[:-1], code_of(committed())
    assert [len(pictures(cell)) for cell in now] == [len(pictures(cell)) for cell in then]
    drawn = [picture for cell in then for picture in pictures(cell)]
    assert len(drawn) == 4
    assert all(picture.startswith(b"\x89PNG") and len(picture) < 60_000 for picture in drawn)
    assert NOTEBOOK.stat().st_size < 250_000


def test_every_axis_that_is_drawn_has_a_label() -> None:
    source = "\n".join(cell.source for cell in code_of(committed()))
    assert source.count("plt.show()") == 4
    assert len(re.findall(r"xlabel=", source)) == 4
    assert len(re.findall(r"ylabel=", source)) == 3  # bars of meanings have names


def test_it_was_committed_as_it_runs_and_without_marks_of_where() -> None:
    notebook = committed()
    assert [cell.execution_count for cell in code_of(notebook)] == list(range(1, len(code_of(notebook)) + 1))
    assert all(cell.metadata == {} for cell in notebook.cells)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    text = NOTEBOOK.read_text("utf-8")
    assert not re.search(r"/(home|root|tmp|work)/|Error|Traceback", text)
    assert not any(one.output_type == "error" for cell in code_of(notebook) for one in cell.outputs)


# the same by the library, on another way


RECORDED: dict[str, Recording] = {**load_tasks(), **load_requests()}
TOOLS = tool_specs_from(shop_tools(lambda _: Shop(":memory:")))
DAMAGED = "Order A103: one of the two phone cases was damaged. Refund that one."
LATE = "Give David 20 euros back for the late monitor (order A107)."
PERCENT = "Refund 20 percent of order A105, it was delivered a week late."


def policy() -> Policy:
    return Policy.load(str(files("guardrail_langgraph.demo.labelled").joinpath("policy.yaml")))


def sample(drawn: Drawn) -> Sample:
    calls = tuple(ToolCall(id=one["id"] or "", name=one["name"], arguments=one["args"]) for one in drawn.calls)
    tokens = tuple(Token(text=text, logprob=logprob) for text, logprob in drawn.tokens)
    return Sample(calls=calls, text=drawn.text, finish_reason=drawn.finish_reason, tokens=tokens)


def assess(text: str, store: Any) -> StepVerdict:
    step = RECORDED[text].steps[""]
    sampler = ScriptedSampler([sample(one) for one in step.samples])
    return Guard(policy(), sampler, store).assess(
        PlanningStep(
            id=RECORDED[text].task,
            thread_id=RECORDED[text].task,
            tools=TOOLS,
            planned=sample(step.plan),
            model=RECORDED[text].model,
            request={},
        )
    )


@pytest.fixture(scope="module")
def said(ran: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(told(code_of(ran)[-1]))
    return found


@pytest.mark.parametrize("text", [DAMAGED, LATE, PERCENT], ids=["damaged", "late", "percent"])
def test_agreement_and_entropy_are_those_of_the_guard(text: str, said: dict[str, Any]) -> None:
    (verdict,) = assess(text, open_store("memory://")).verdicts
    value = {signal.name: signal.value for signal in verdict.signals}
    assert said["numbers"][text] == pytest.approx([value["agreement"], value["semantic_entropy"]])


def test_the_thresholds_are_those_that_calibrate_gives(said: dict[str, Any]) -> None:
    store = open_store("memory://")
    by_id = {request.id: request for request in requests(181)}
    for number in said["past"]:
        step = assess(by_id[number].text, store)
        for verdict in step.verdicts:
            right = by_id[number].judge(verdict.call).correct
            label = Label(call_id=verdict.call.id, correct=right, source=LabelSource.CHECKER, by="x", at="2026-11-25")
            store.add_label(step.record_id, label)
    again = calibrate(labelled_calls(store.records(limit=1000)).calls, signals=["agreement"], vetoes=False).policy
    for tier, other in zip(codec.to_json(again)["tiers"], said["calibration"]["tiers"], strict=True):
        assert (tier["tier"], tier["alpha"]) == (other["tier"], other["alpha"])
        for one, two in zip(tier["thresholds"], other["thresholds"], strict=True):
            assert (one["n"], one["errors"], one["executed"]) == (two["n"], two["errors"], two["executed"])
            assert one["execute_below"] == pytest.approx(two["execute_below"])


def test_what_its_words_say_is_so(said: dict[str, Any]) -> None:
    words = " ".join(" ".join(cell.source.split()) for cell in committed().cells if cell.cell_type == "markdown")
    assert "ln 8 = 2.08" in words
    assert round(math.log(8), 2) == 2.08
    assert "181 requests" in words
    assert len(said["past"]) + len(said["ran"]) == 181 == len(load_requests())
    (verdict,) = assess(PERCENT, open_store("memory://")).verdicts
    assert "six times in eight" in words
    assert "One more sample like that, and the call would have run" in words
    assert (verdict.agreeing, verdict.asked, verdict.needed) == (6, 8, 7)
    for page in re.findall(r"`(docs/[a-z]+\.md)`", words):
        assert (ROOT / page).is_file()
    alphas = {tier["tier"]: tier["alpha"] for tier in said["calibration"]["tiers"]}
    assert "at most 10 % of the calls that run without a human are wrong* (20 % for low stakes, 2 % for high)" in words
    assert alphas == {"low": 0.2, "medium": 0.1, "high": 0.02}
