"""``guardrail notify`` and ``guardrail upkeep`` as people and cron see them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from guardrail.cli.main import main
from guardrail.notify import verify
from guardrail.store import Store, open_store
from guardrail.types import NoticeState, ReviewState
from tests.notify.receiving import SECRET, Receiver, receiving, until
from tests.support.records import review

SECRETS = {"HOOK_SECRETS": SECRET}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'guardrail.db'}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = open_store(url)
    yield opened
    opened.close()


@pytest.fixture
def file(tmp_path: Path, receiver: Receiver) -> Path:
    path = tmp_path / "notify.yaml"
    path.write_text(
        f"url: https://guard.example.com\nchannels:\n  ops:\n    webhook: {{url: '{receiver.url}', secrets: HOOK_SECRETS}}\n"
    )
    return path


def run(*arguments: str, environment: dict[str, str] | None = None) -> Result:
    return CliRunner(env=SECRETS if environment is None else environment).invoke(main, list(arguments))


def waiting(store: Store, identity: str = "review-0001", **more: str) -> str:
    now = datetime.now(UTC)
    store.add_review(replace(review(identity, at=now.isoformat()), requester="agent", **more))
    return identity


def test_a_file_is_checked_with_its_secrets(file: Path, receiver: Receiver) -> None:
    result = run("notify", "check", "--file", str(file))
    assert result.exit_code == 0, result.output
    assert f"ops: webhook to {receiver.url}, signed by HOOK_SECRETS; opened, escalated" in result.output
    result = run("notify", "check", "--file", str(file), environment={"HOOK_SECRETS": ""})
    assert result.exit_code == 2
    assert "needs the environment variable HOOK_SECRETS" in result.output
    assert run("notify", "check", "--file", str(file), "--offline", environment={}).exit_code == 0
    assert receiver.requests == []


def test_a_mistake_has_its_place(file: Path) -> None:
    file.write_text("channels:\n  ops:\n    apprise: CHAT\n    teirs: [high]\n")
    result = run("notify", "check", "--file", str(file))
    assert result.exit_code == 2
    assert "notify.yaml:4: channels.ops.teirs: unknown key; did you mean 'tiers'" in result.output


def test_the_file_may_be_named_by_the_environment(file: Path) -> None:
    assert run("notify", "check", environment={**SECRETS, "GUARDRAIL_NOTIFY": str(file)}).exit_code == 0
    assert "GUARDRAIL_NOTIFY" in run("notify", "check").output


def test_a_test_message_says_that_it_is_one(file: Path, receiver: Receiver) -> None:
    result = run("notify", "test", "ops", "--file", str(file))
    assert (result.exit_code, result.output) == (0, "ops took the message\n")
    (request,) = receiver.requests
    assert "this is a test, nothing waits" in verify(request.headers, request.body, SECRET)["data"]["text"]
    receiver.answer = [500]
    result = run("notify", "test", "ops", "--file", str(file))
    assert (result.exit_code, "answered 500" in result.output) == (2, True)
    result = run("notify", "test", "opps", "--file", str(file))
    assert (result.exit_code, "did you mean 'ops'" in result.output) == (2, True)


def test_a_new_secret_is_good(file: Path) -> None:
    secret = run("notify", "secret").output.strip()
    assert (
        run("notify", "check", "--file", str(file), environment={"HOOK_SECRETS": f"{secret} {SECRET}"}).exit_code == 0
    )


def test_upkeep_tells_and_the_status_says_so(file: Path, url: str, store: Store, receiver: Receiver) -> None:
    result = run("--store", url, "notify", "status", "--file", str(file))
    assert result.exit_code == 0
    assert "upkeep has never run" in result.output
    review_id = waiting(store)
    result = run("--store", url, "upkeep", "--once", "--notify", str(file))
    assert result.exit_code == 0, result.output
    assert result.output.splitlines() == [
        "deadlines: nothing to do",
        "stuck: nothing to do",
        "notify: 1 sent, 0 failed",
        "seal: 1 log sealed",
        "forget: nothing to do",
    ]
    (request,) = receiver.requests
    (item,) = verify(request.headers, request.body, SECRET)["data"]["items"]
    assert item["url"] == f"https://guard.example.com/reviews/{review_id}"
    result = run("--store", url, "notify", "status", "--file", str(file), "--json")
    said = json.loads(result.output)
    assert [(one["name"], one["sent"], one["messages"], one["configured"]) for one in said["channels"]] == [
        ("ops", 1, 1, True)
    ]
    assert {one["name"]: one["note"] for one in said["upkeep"]}["notify"] == "1 sent, 0 failed"
    assert "1 sent, 0 failed" in run("--store", url, "notify", "status").output


def test_what_was_given_up_shows_and_can_be_owed_again(file: Path, url: str, store: Store, receiver: Receiver) -> None:
    receiver.answer = [410]
    waiting(store)
    run("--store", url, "upkeep", "--once", "--notify", str(file))
    assert [one.state for one in store.notices()] == [NoticeState.DEAD]
    result = run("--store", url, "notify", "status", "--file", str(file))
    assert result.exit_code == 6
    assert "ops: 1 given up. `guardrail notify retry ops` owes them again." in " ".join(result.output.split())
    assert run("--store", url, "notify", "retry", "ops").output == "1 message is owed again\n"
    assert run("--store", url, "notify", "retry", "ops").output == "0 messages are owed again\n"
    assert [one.state for one in store.notices()] == [NoticeState.OWED]


def test_a_channel_that_fails_is_no_failure_of_upkeep(file: Path, url: str, store: Store, receiver: Receiver) -> None:
    receiver.answer = [500]
    waiting(store)
    result = run("--store", url, "upkeep", "--once", "--notify", str(file))
    assert result.exit_code == 0
    assert "notify: 0 sent, 1 failed" in result.output


def test_upkeep_lets_overdue_reviews_expire(url: str, store: Store) -> None:
    late = waiting(store, due=(datetime.now(UTC) - timedelta(seconds=1)).isoformat())
    result = run("--store", url, "upkeep", "--once")
    assert "deadlines: 1 expired, 0 escalated" in result.output
    assert store.review(late).state is ReviewState.EXPIRED


def test_upkeep_refuses_a_file_that_cannot_be_used(file: Path, url: str, store: Store) -> None:
    result = run("--store", url, "upkeep", "--once", "--notify", str(file), environment={"HOOK_SECRETS": "short"})
    assert result.exit_code == 2
    assert "holds something that is no secret" in result.output
    assert "short" not in result.output


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_upkeep_runs_until_it_is_told_to_end(file: Path, url: str, store: Store, receiver: Receiver) -> None:
    arguments = ["--store", url, "upkeep", "--notify", str(file)]
    code = "import sys; from guardrail.cli.main import main; main(sys.argv[1:])"
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments], env={**os.environ, **SECRETS}, stderr=subprocess.PIPE, text=True
    )
    try:
        waiting(store)
        until(lambda: receiver.requests, 60)
        process.send_signal(signal.SIGTERM)
        assert (process.wait(30), process.stderr.read() if process.stderr else "") == (0, "")
    finally:
        process.kill()
        process.communicate()
