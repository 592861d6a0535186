"""``guardrail label`` puts one call after another to a person, who judges before seeing what the guard made of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from guardrail.cli.main import main
from guardrail.engine.labels import stored_labels
from guardrail.review import Queue
from guardrail.store import SQLiteStore
from guardrail.types import Fault, Label, LabelSource, Reason, Route, Tier, Turn
from tests.cli.labelling import audited
from tests.support.records import label, refund, review

ATTACK = "[bold]approve me[/bold]\x1b[2J\u202e\u200b"


@pytest.fixture
def store(tmp_path: Path):
    opened = SQLiteStore(tmp_path / "guardrail.db")
    yield opened
    opened.close()


@pytest.fixture
def run(store: SQLiteStore):
    def run(*args: str, answers: str = "", by: str = "ana") -> Result:
        environment = {"GUARDRAIL_STORE": store.url, "GUARDRAIL_REVIEWER": by}
        return CliRunner().invoke(main, ["label", *args], input=answers, env=environment)

    return run


def labels(store: SQLiteStore, number: int) -> tuple[Label, ...]:
    return store.record(f"rec-{number:06}").labels


def test_answers_are_kept_as_labels_that_calibration_reads(run, store: SQLiteStore) -> None:
    for number in range(4):
        store.add_record(audited(number))
    result = run(answers="y\nn\nunwanted\nskip\n")
    assert result.exit_code == 0
    assert "3 answers kept, 1 skipped, 0 not looked at" in result.stdout
    said = [labels(store, number) for number in range(3)]
    assert [(one.correct, one.fault) for (one,) in said] == [
        (True, None),
        (False, Fault.WRONG),
        (False, Fault.UNWANTED),
    ]
    assert {(one.by, one.source, one.probability) for (one,) in said} == {("ana", LabelSource.AUDIT, None)}
    assert labels(store, 3) == ()
    found = stored_labels(store)
    assert [(call.id, call.correct, call.probability) for call in found.calls] == [
        ("rec-000000/call_1", True, 0.5),
        ("rec-000001/call_1", False, 0.5),
        ("rec-000002/call_1", False, 0.5),
    ]
    assert [call.id for call in found.unanswered] == ["rec-000003/call_1"]


def test_what_the_guard_made_of_a_call_is_shown_only_after_the_answer(run, store: SQLiteStore) -> None:
    store.add_record(audited(7, risk=0.4321))
    quit_ = run(answers="q\n").stdout
    assert "Refund order A-7, number 7." in quit_
    assert "Refund an order." in quit_
    assert "107" in quit_
    for word in ("0.4321", "agreement", "execute", "4 of 5", "as planned", "medium", "risk"):
        assert word not in quit_
    answered = run(answers="y\n").stdout
    question, _, after = answered.partition("kept.")
    assert "0.4321" not in question
    for word in ("0.4321", "agreement", "execute", "as planned"):
        assert word in after


def test_where_a_call_went_cannot_be_told_from_how_it_is_asked(run, store: SQLiteStore) -> None:
    ran = audited(1)
    seen = audited(1, route=Route.REVIEW, reason=Reason.DISAGREED)
    planned_again = audited(1, route=Route.RETRY, reason=Reason.DISAGREED)
    left = audited(1, drawn=False, route=Route.REVIEW, reason=Reason.UNCALIBRATED)
    shown = []
    for number, one in enumerate((ran, seen, planned_again, left)):
        with_it = SQLiteStore(store.path.with_name(f"{number}.db"))
        with_it.add_record(one)
        with_it.close()
        shown.append(run("--store", with_it.url, answers="q\n").stdout)
    assert len(set(shown)) == 1


def test_audits_come_first_and_of_them_the_oldest(run, store: SQLiteStore) -> None:
    for number, drawn in ((5, False), (3, True), (1, True), (6, False)):
        store.add_record(audited(number, drawn=drawn))
    out = run(answers="s\n" * 4).stdout
    places = [out.index(f"number {number}.") for number in (1, 3, 6, 5)]
    assert places == sorted(places)
    assert "4 calls are not judged; 2 of them count as wrong until they are" in out
    assert "2 come last, which nothing drew" in out
    only = run("--audits-only", answers="s\n" * 4).stdout
    assert "number 5." not in only
    assert "0 answers kept, 2 skipped" in only


def test_tier_tool_and_limit_choose(run, store: SQLiteStore) -> None:
    store.add_record(audited(1))
    store.add_record(audited(2, tier=Tier.HIGH))
    store.add_record(audited(3, call=replace(refund(), name="mail")))
    assert "number 2." in (out := run("--tier", "high", answers="q\n").stdout)
    assert "1 of 1" in out
    assert "number 3." in run("--tool", "mail", answers="q\n").stdout
    assert "1 of 2" in run("--limit", "2", answers="q\n").stdout
    assert "nothing is open" in run("--tool", "none of them").stdout
    assert run("--limit", "0").exit_code == 2
    assert run("--tier", "grave").exit_code == 2


def test_a_call_that_waits_for_a_reviewer_is_left_to_the_review(run, store: SQLiteStore) -> None:
    one = audited(1, route=Route.REVIEW, reason=Reason.UNCALIBRATED)
    store.add_record(one)
    queue = Queue(store)
    queue.open(review("rev-000001", record_id=one.id, call=one.verdict.verdicts[0].call))
    assert "nothing is open" in run().stdout
    # an answer to the agent says nothing about the call
    queue.respond("rev-000001", by="bo", message="ask again tomorrow")
    assert "number 1." in run(answers="q\n").stdout
    run(answers="n\n")
    assert [(one.source, one.correct) for one in labels(store, 1)] == [(LabelSource.AUDIT, False)]


def test_calls_that_share_their_id_are_never_asked_about(run, store: SQLiteStore) -> None:
    one = audited(1)
    store.add_record(replace(one, verdict=replace(one.verdict, verdicts=one.verdict.verdicts * 2)))
    assert "nothing is open" in run().stdout


def test_back_lets_a_person_correct_themselves(run, store: SQLiteStore) -> None:
    for number in range(2):
        store.add_record(audited(number))
    result = run(answers="b\ny\nb\nn\ny\n")
    assert "this is the first one" in result.stdout
    assert "contradicts" not in result.stdout
    assert [one.correct for one in labels(store, 0)] == [True, False]
    assert [(call.id, call.correct) for call in stored_labels(store).calls] == [
        ("rec-000000/call_1", False),
        ("rec-000001/call_1", True),
    ]


def test_nothing_is_lost_when_it_is_interrupted(run, store: SQLiteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        store.add_record(audited(number))
    ended = run(answers="y\n")
    assert ended.exit_code == 130
    assert "1 answers kept, 0 skipped, 2 not looked at" in ended.stdout
    assert len(labels(store, 0)) == 1

    def interrupt(*_: Any, **__: Any) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("click.prompt", interrupt)
    assert run().exit_code == 130
    monkeypatch.undo()
    assert "1 of 2" in run(answers="q\n").stdout


def test_a_bare_enter_or_a_slip_is_no_judgement(run, store: SQLiteStore) -> None:
    store.add_record(audited(1))
    result = run(answers="\nyy\n1\n?\nq\n")
    assert result.exit_code == 0
    assert labels(store, 1) == ()
    assert "is what was asked for, and should still not run" in result.stdout


def test_a_note_goes_with_the_answer(run, store: SQLiteStore) -> None:
    store.add_record(audited(1))
    store.add_record(audited(2))
    run(answers="t\nthe wrong order\nn\ny\n")
    assert [labels(store, number)[0].note for number in (1, 2)] == ["the wrong order", ""]


def test_long_conversations_are_shown_whole_on_request(run, store: SQLiteStore) -> None:
    turns = tuple(Turn(role="user", text=f"message {number}") for number in range(9))
    store.add_record(replace(audited(1), conversation=turns))
    short = run(answers="q\n").stdout
    assert "3 messages before" in short
    assert "message 0" not in short
    assert "message 0" in run(answers="m\nq\n").stdout
    store.add_record(replace(audited(2), conversation=()))
    assert "the conversation is not on record" in run(answers="s\nq\n").stdout


def test_contradictions_are_shown_and_the_next_answer_settles_them(run, store: SQLiteStore) -> None:
    one = audited(1, labels=(label(note="fine"),))
    store.add_record(one)
    assert "no call was judged both right and wrong" in run("--list-contradictions").stdout
    store.add_label(
        one.id, replace(label(correct=False), by="boris", at="2026-01-04T00:00:00+00:00", fault=Fault.WRONG)
    )
    listed = run("--list-contradictions").stdout
    for part in ("rec-000001", "refund(", "right by ana (audit)", "wrong (wrong) by boris", "fine"):
        assert part in listed
    assert len(stored_labels(store).calls) == 2
    result = run("--contradictions", answers="n\n", by="cy")
    question, _, after = result.stdout.partition("kept.")
    assert "boris" not in question
    assert "right by ana" in after
    assert "wrong (wrong) by boris" in after
    assert "no call was judged both right and wrong" in run("--list-contradictions").stdout
    assert [(call.by, call.correct) for call in stored_labels(store).calls] == [("cy", False)]


def test_an_answer_that_contradicts_another_says_so(run, store: SQLiteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.add_record(audited(1))
    other = SQLiteStore(store.path)
    prompt = click.prompt

    def slowly(*args: Any, **more: Any) -> Any:
        # somebody else answers while this one reads
        other.add_label("rec-000001", replace(label(correct=False), by="boris", at="2026-01-04T00:00:00+00:00"))
        return prompt(*args, **more)

    monkeypatch.setattr("click.prompt", slowly)
    result = run(answers="y\n")
    other.close()
    assert "this contradicts what was said before" in result.stdout


def test_hostile_text_is_shown_as_it_is(run, store: SQLiteStore) -> None:
    hostile = audited(1, call=refund(note=ATTACK, **{ATTACK: 1}), text=ATTACK)
    store.add_record(replace(hostile, conversation=(Turn(role=ATTACK, text=ATTACK),)))
    out = run(answers=f"t\n{ATTACK}\nm\nn\n", by=ATTACK).stdout
    out += run("--list-contradictions").stdout
    asked = out.replace(f"note: {ATTACK}", "")  # what the terminal echoes of one's own typing
    assert not {"\x1b", "\u202e", "\u200b"} & set(asked)
    assert "[bold]approve me[/bold]" in out
    assert "U+202E RIGHT-TO-LEFT OVERRIDE" in out


def test_only_one_thing_is_done_at_a_time(run, tmp_path: Path) -> None:
    result = run("--list-contradictions", "--import", str(tmp_path / "labels.jsonl"))
    assert result.exit_code == 2
    assert "give one of them" in result.stderr
