"""The examples beside the agents: each run as its own text says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from guardrail import Policy
from guardrail.types import ReviewState, Route
from tests.examples.conftest import EXAMPLES, Folder, clerk
from tests.examples.test_agents import QUESTION, needed

PASSWORD = "a phrase of zoe alone"


# an agent, the page, a worker: processes of their own


@pytest.fixture
def page(folder: Folder) -> Iterator[tuple[str, str]]:
    """The address of ``guardrail serve``, and its one-time link."""
    process = folder.start("guardrail", "serve", "--policy", "policy.yaml", "--port", "0")
    assert process.stdout is not None
    said = ""
    while "/welcome/" not in said:
        line = process.stdout.readline()
        assert line, f"the server ended: {said}"
        said += line
    link = re.search(r"http\S+/welcome/\S+", said)[0]
    yield link.partition("/welcome/")[0], link
    process.terminate()
    assert process.wait(timeout=60) == 0


def found(pattern: str, page: str) -> str:
    return re.search(pattern, page)[1]


def decided_on_the_page(url: str, link: str, folder: Folder) -> None:
    with httpx.Client(base_url=url, headers={"accept": "text/html"}, follow_redirects=True, timeout=60) as browser:
        csrf = found(r'name="csrf" value="(\w+)"', browser.get(link).text)
        browser.post(link, data={"name": "zoe", "password": PASSWORD, "again": PASSWORD, "csrf": csrf})
        review = folder.waiting()
        shown = browser.get(f"/reviews/{review.id}").text
        form = {name: found(rf'name="{name}" value="([^"]*)"', shown) for name in ("csrf", "digest", "revision")}
        answer = browser.post(f"/reviews/{review.id}/decide", data={"type": "approve", **form})
    assert answer.status_code == 200, answer.text


def decided_by_command(_url: str, _link: str, folder: Folder) -> None:
    folder.run("guardrail", "reviews", "approve", folder.waiting().id[:12], "--yes", "--by", "zoe")


@pytest.mark.parametrize("decide", [decided_on_the_page, decided_by_command])
def test_the_agent_ends_somebody_decides_and_the_worker_runs_the_tool_once(
    folder: Folder, page: tuple[str, str], decide: object
) -> None:
    folder.server.reset(clerk(350))
    agent = folder.start("python", "approval_queue/agent.py", QUESTION)
    said = folder.ended(agent)
    assert "waits for a person: {'name': 'refund', 'args': {'number': 1042, 'amount': 350}" in said
    assert "This process ends here." in said
    assert "* refund" not in said
    decide(*page, folder)  # type: ignore[operator]
    worker = folder.start("guardrail", "worker", "--graph", "approval_queue/agent.py:agent", "--once")
    worked = folder.ended(worker)
    ran = re.findall(r"\* refund of 350 for order 1042, key (\w+), process (\d+)", worked)
    (review,) = folder.reviews()
    assert ran == [(review.id[:12], str(worker.pid))]
    assert (review.state, review.decision.by) == (ReviewState.DONE, "zoe")
    assert "* refund" not in folder.run("guardrail", "worker", "--graph", "approval_queue/agent.py:agent", "--once")


# an MCP server behind the proxy


def test_the_client_of_a_server_and_the_guard_between_them(folder: Folder) -> None:
    needed("mcp_proxy")
    before = folder.run("python", "mcp_proxy/before.py")
    assert "-> a glass, paid 35" in before
    assert "-> refunded 35 for order 1042" in before
    process = folder.start("python", "mcp_proxy/after.py")
    folder.approve(folder.waiting(process))
    assert folder.ended(process).splitlines()[-2:] == before.splitlines()[-2:]
    assert [one.state for one in folder.reviews()] == [ReviewState.DONE]
    assert folder.server.requests == []


# thresholds from logs


def test_logs_become_thresholds_with_a_promise(folder: Folder) -> None:
    pytest.importorskip("polars")
    folder.environment["USER"] = "ann"
    said: list[str] = []
    for line in commands(folder.path / "calibration/from_logs.py"):
        words = line.replace('"$USER"', "ann").replace("the shop's checker", "checker").split()
        if words[0] == "cp":
            (folder.path / words[2]).write_bytes((folder.path / words[1]).read_bytes())
        elif words[0] in ("python", "guardrail"):
            yes = ["--yes"] if "adopt" in words else []
            said.append(folder.run(*[word.strip('"') for word in words], *yes))
    first, labelled, proposed, *_, last = said
    assert ("80 execute (uncalibrated)" in first, "145 labels kept" in labelled) == (True, True)
    assert "at most 10 % wrong, 95 % sure" in proposed
    counts = {end: int(count) for count, end in re.findall(r"(\d+) (\w+ \(\w+\))", last)}
    assert sum(counts.values()) == 145
    assert counts["execute (calibrated)"] > 60
    assert "execute (uncalibrated)" not in counts
    policy = Policy.load(folder.path / "my-policy.yaml")
    assert policy.calibration
    assert policy.risk_model


def commands(path: Path) -> list[str]:
    """The lines of a docstring that a reader is to type."""
    return re.findall(r"^    (\w.*)$", path.read_text("utf-8").partition('\n"""\n')[0], flags=re.MULTILINE)


# a comparator and a signal of one's own


def test_a_comparator_of_ones_own(folder: Folder) -> None:
    assert folder.run("python", "plugin_comparator/try_it.py").splitlines() == [
        "as texts: agreement 40%, retry",
        "as part numbers: agreement 100%, execute",
    ]


def test_a_signal_of_ones_own(folder: Folder) -> None:
    said = folder.run("python", "plugin_signal/try_it.py").splitlines()
    assert [line.partition(": ")[2].rpartition("}: ")[2] for line in said] == [
        "100% of its values stand in the conversation",
        "50% of its values stand in the conversation",
    ]


# a model on this machine


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of some thousand weights that has learned two answers by heart."""
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    import torch

    from tests.support import tiny_chat

    words = tiny_chat.tokenizer()
    model = tiny_chat.trained(words)
    with torch.no_grad():
        model.model.norm.weight.mul_(4)  # what it has learned becomes certain
    return tiny_chat.write(tmp_path_factory.mktemp("model"), model, words)


def test_a_local_model(folder: Folder, weights: Path) -> None:
    folder.environment["LOCAL_MODEL"] = str(weights)
    before = folder.run("python", "local_model/before.py", "sure")
    assert "weather {'city': 'Z\u00fcrich'} -> 21 degrees" in before
    after = folder.run("python", "local_model/after.py", "sure")
    assert "weather {'city': 'Z\u00fcrich'} -> 21 degrees" in after
    (record,) = folder.records()
    assert (record.verdict.route, len(record.samples)) == (Route.EXECUTE, 8)
    assert folder.server.requests == []


def test_a_local_model_whose_plan_cannot_be_read_runs_nothing(folder: Folder, weights: Path) -> None:
    folder.environment["LOCAL_MODEL"] = str(weights)
    assert "degrees" not in folder.run("python", "local_model/after.py", "broken")


# nothing is left out

ELSEWHERE = {
    "plugin_comparator/part_number.py": "imported by try_it.py",
    "plugin_signal/values_in_conversation.py": "imported by try_it.py; tests/signals/test_plugins.py",
    "mcp_proxy/server.py": "started by the client and by the proxy",
    "ray_serve_nli.py": "needs Ray Serve and a cluster; its protocol is that of ServedNLIEntailment, tests/nli",
    "record_demo.py": "records a live model for the demo; tests/demo reads what it wrote",
    "record_requests.py": "records a live model for the demo; tests/demo reads what it wrote",
}


def test_every_file_is_run_or_is_listed_with_a_reason() -> None:
    tests = "".join(path.read_text("utf-8") for path in sorted(Path(__file__).parent.glob("test_*.py")))
    pairs = {f"{name}/{part}.py" for name in re.findall(r'"(\w+)"', tests) for part in ("before", "after")}
    for path in sorted(EXAMPLES.rglob("*.py")):
        name = path.relative_to(EXAMPLES).as_posix()
        assert name in tests or name in pairs, f"{name} is run by no test"
    assert all((EXAMPLES / name).exists() for name in ELSEWHERE)


def test_policies_of_the_examples_are_policies() -> None:
    for path in EXAMPLES.rglob("policy.yaml"):
        assert Policy.load(path).rules
        assert yaml.safe_load(path.read_text("utf-8"))
