from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from guardrail import codec
from guardrail.cli.main import main
from guardrail.review import Queue
from guardrail.store import SQLiteStore
from guardrail.types import DecisionType, Fault, Record, Review, ReviewState
from tests.support.records import label, record, refund, review

REC, REV = "rec-000001", "rev-000001"


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'guardrail.db'}"


@pytest.fixture
def store(tmp_path: Path, url: str):
    store = SQLiteStore(tmp_path / "guardrail.db")
    store.add_record(record(REC, review_id=REV))
    store.add_record(record("rec-000002", at="2026-01-03T00:00:00Z", thread_id="thread-2", labels=(label(note="ok"),)))
    Queue(store).open(review(REV))
    yield store
    store.close()


@pytest.fixture
def run(url: str, store: SQLiteStore):
    def run(*args: str, text: str = "", by: str = "ana") -> Result:
        environment = {"GUARDRAIL_STORE": url, "GUARDRAIL_REVIEWER": by}
        return CliRunner().invoke(main, args, input=text, env=environment)

    return run


def _refused(result: Result, said: str) -> None:
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stderr.count("Error:") == 1
    assert "Traceback" not in result.output


def test_log_lists_newest_first(run) -> None:
    result = run("log")
    assert result.exit_code == 0
    assert result.stdout.index("rec-000002") < result.stdout.index("rec-000001")
    for part in (
        "gpt-test",
        'refund(order_id="A-7", amount=100)',
        "agreement 4/5",
        "entropy 0.50",
        "210 tokens, 1.8 s",
    ):
        assert part in result.stdout
    assert f"review  agreement 4/5  entropy 0.50  pending {REV}" in result.stdout


def test_log_by_thread_and_limit(run) -> None:
    assert "rec-000001" not in run("log", "--thread", "thread-2").stdout
    assert "rec-000001" not in run("log", "--limit", "1").stdout
    assert "no records" in run("log", "--thread", "thread-3").stdout
    assert run("log", "--limit", "0").exit_code == 2


def test_log_json_is_the_records(run, store: SQLiteStore) -> None:
    result = run("log", "--json")
    assert result.stderr == ""
    assert [codec.from_json(Record, data) for data in json.loads(result.stdout)] == store.records()


@pytest.mark.parametrize("identity", [REC, "rec-000001"[:10], REV])
def test_show_tells_all(run, identity: str) -> None:
    result = run("show", identity)
    assert result.exit_code == 0
    for part in (
        "thread-1",
        "high stakes, rule refund",
        "4 of 5 samples plan the same call, 5 were needed",
        "5 of 5 samples; 4 agree, 1 do not",
        "0.8, not calibrated",
        "█████████████░░░  4  as planned",
        "███░░░░░░░░░░░░░  1  other amount",
        "0.5004 nats",
        "missing: the provider gave no log-probabilities",
        "5 drawn of 5 asked, 0 invalid; not audited",
        "exact",
        "1 request, 120 prompt tokens, 90 completion tokens, 1.50 s sampling, 1.75 s in all",
        "nothing yet: it waits for a human",
    ):
        assert part in result.stdout, part


def test_show_tells_labels_and_what_ran(run, store: SQLiteStore) -> None:
    shown = run("show", "rec-000002").stdout
    assert "right by ana (audit) 2026-01-03 00:00:00  ok" in shown
    assert "as planned: released without a human" in shown
    run("reviews", "edit", REV, "--args", '{"order_id": "A-7", "amount": 20}')
    queue = Queue(store)
    queue.begin(REV, digest="digest of the call", by="worker")
    assert "was started; that it ended is not on record" in run("show", REC).stdout
    queue.finish(REV, by="worker", note="refunded")
    shown = run("show", REC).stdout
    for part in (
        "with edited arguments",
        "edited to",
        "decided by ana",
        "executing by worker",
        "done by worker  refunded",
    ):
        assert part in shown


def test_show_json(run, store: SQLiteStore) -> None:
    data = json.loads(run("show", REV, "--json").stdout)
    assert codec.from_json(Record, data["record"]) == store.record(REC)
    assert [codec.from_json(Review, one) for one in data["reviews"]] == [review(REV)]


def test_show_a_review_without_a_record(run, store: SQLiteStore) -> None:
    Queue(store).open(review("rev-alone1", record_id=""))
    assert "refund" in run("show", "rev-alone1").stdout
    assert json.loads(run("show", "rev-alone1", "--json").stdout)["record"] is None


def test_reviews_list(run, store: SQLiteStore) -> None:
    Queue(store).open(review("rev-000002"))
    Queue(store).supersede("rev-000002", by="guard", note="")
    assert "rev-000002" not in run("reviews", "list").stdout
    assert "superseded" in run("reviews", "list", "--all").stdout
    listed = json.loads(run("reviews", "list", "--json").stdout)
    assert [codec.from_json(Review, one) for one in listed] == [review(REV)]
    Queue(store).supersede(REV, by="guard", note="")
    assert "no open reviews" in run("reviews", "list").stdout


def test_reviews_show(run) -> None:
    shown = run("reviews", "show", REV).stdout
    for part in ('order_id  "A-7"', "amount    100", "pending", "approve, edit, reject, respond", "as planned"):
        assert part in shown
    assert codec.from_json(Review, json.loads(run("reviews", "show", REV, "--json").stdout)) == review(REV)


@pytest.mark.parametrize("answer", ["y\n", "Y\n", "yes\n"])
def test_approve_shows_the_call_and_asks(run, store: SQLiteStore, answer: str) -> None:
    result = run("reviews", "approve", REV, text=answer)
    assert result.exit_code == 0
    assert result.stdout.index("amount    100") < result.stdout.index("Let this call run?")
    assert 'approved by ana: refund(order_id="A-7", amount=100)' in result.stdout
    decision = store.review(REV).decision
    assert (decision.type, decision.by) == (DecisionType.APPROVE, "ana")


@pytest.mark.parametrize("answer", ["\n", "n\n", "no\n", "", "maybe\n\n"])
def test_anything_but_yes_approves_nothing(run, store: SQLiteStore, answer: str) -> None:
    result = run("reviews", "approve", REV, text=answer)
    assert result.exit_code == 1
    assert store.review(REV) == review(REV)


def test_approve_without_asking(run, store: SQLiteStore) -> None:
    result = run("reviews", "approve", REV[:8], "--yes", "--by", "ben")
    assert result.exit_code == 0
    assert "?" not in result.stdout
    assert store.review(REV).decision.by == "ben"


def test_one_approval_at_a_time(run, store: SQLiteStore) -> None:
    Queue(store).open(review("rev-000002"))
    assert run("reviews", "approve", REV, "rev-000002", "--yes").exit_code == 2
    assert run("reviews", "approve", "--yes").exit_code == 2
    assert {one.state for one in store.reviews()} == {ReviewState.PENDING}


def test_approve_says_that_it_cut(run, store: SQLiteStore) -> None:
    Queue(store).open(review("rev-long01", record_id="", call=refund(note="x" * 3000 + "END")))
    cut = run("reviews", "approve", "rev-long01", text="\n").stdout
    assert "--full shows all" in cut
    assert "(3,005 characters)" in cut
    assert "END" not in cut
    whole = run("reviews", "approve", "rev-long01", "--full", text="\n").stdout
    assert "END" in whole
    assert "--full" not in whole


def test_a_decision_taken_by_another_is_named_and_nothing_is_asked(run, store: SQLiteStore) -> None:
    run("reviews", "reject", REV, "--message", "too much", by="ben")
    result = run("reviews", "approve", REV, text="y\n")
    _refused(result, "reject by ben at")
    assert "Let this call run?" not in result.stdout
    assert store.review(REV).decision.message == "too much"


def test_edit_from_the_command_line_and_from_a_file(run, store: SQLiteStore, tmp_path: Path) -> None:
    result = run("reviews", "edit", REV, "--args", '{"order_id": "A-7", "amount": 20}')
    assert 'edited by ana: refund(order_id="A-7", amount=20)' in result.stdout
    Queue(store).open(review("rev-000002"))
    (tmp_path / "args.json").write_text('{"order_id": "A-8", "amount": 21}')
    assert run("reviews", "edit", "rev-000002", "--args", f"@{tmp_path / 'args.json'}").exit_code == 0
    assert store.review("rev-000002").decision.arguments == {"order_id": "A-8", "amount": 21}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("{", "is no JSON"),
        ("", "is no JSON"),
        ("[1]", "must be a JSON object"),
        ('{"amount": NaN, "order_id": "A-7"}', "NaN is not a JSON number"),
        ('{"amount": 1, "amount": 2, "order_id": "A-7"}', "the same name is given twice"),
        ("[" * 100_000, "is no JSON"),
        ("@/nowhere/args.json", "cannot be read"),
        ('{"amount": "20", "order_id": "A-7"}', "is not of type 'number'"),
        ('{"amount": 20, "order_id": "A-7", "to": "me"}', "'to' is not an argument"),
    ],
)
def test_an_edit_that_cannot_be_used(run, store: SQLiteStore, given: str, said: str) -> None:
    _refused(run("reviews", "edit", REV, "--args", given), said)
    assert store.review(REV) == review(REV)


@pytest.mark.parametrize(
    ("options", "fault"), [((), None), (("--unwanted",), Fault.UNWANTED), (("--wrong",), Fault.WRONG)]
)
def test_a_reject_may_say_what_is_wrong(run, store: SQLiteStore, options: tuple[str, ...], fault: Fault | None) -> None:
    run("reviews", "reject", REV, *options)
    decision = store.review(REV).decision
    assert decision is not None
    assert decision.fault is fault


def test_reject_and_respond(run, store: SQLiteStore) -> None:
    assert "rejected by ana" in run("reviews", "reject", REV, "--message", "no").stdout
    Queue(store).open(review("rev-000002"))
    assert run("reviews", "respond", "rev-000002").exit_code == 2
    assert "answered by ana" in run("reviews", "respond", "rev-000002", "--message", "which order?").stdout
    assert store.review("rev-000002").decision.message == "which order?"


def test_a_decision_that_is_not_allowed(run, store: SQLiteStore) -> None:
    Queue(store).open(review("rev-000002", decisions=(DecisionType.REJECT,)))
    _refused(run("reviews", "approve", "rev-000002", text="y\n"), "approve is not allowed")


def test_a_crashed_execution_is_resolved_by_a_human(run, store: SQLiteStore) -> None:
    _refused(run("reviews", "resolve", REV, "--outcome", "unknown"), "is pending")
    run("reviews", "approve", REV, "--yes")
    Queue(store).begin(REV, digest="digest of the call", by="worker")
    assert run("reviews", "resolve", REV).exit_code == 2
    assert (
        "outcome_unknown" in run("reviews", "resolve", REV[:7], "--outcome", "unknown", "--note", "bank is down").stdout
    )
    assert store.review(REV).history[-1].note == "bank is down"


def test_without_a_name_nothing_is_decided(run, store: SQLiteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise OSError("no login")

    monkeypatch.setattr("getpass.getuser", nobody)
    _refused(run("reviews", "reject", REV, by=""), "--by or GUARDRAIL_REVIEWER")
    assert store.review(REV) == review(REV)


@pytest.mark.parametrize(
    "command",
    [
        ("show", "rec-999999"),
        ("show", "rec"),
        ("show", "rec-00"),
        ("reviews", "show", "rev-999999"),
        ("reviews", "approve", "rev-999999", "--yes"),
        ("reviews", "reject", "rev-999999"),
    ],
)
def test_an_id_that_names_nothing_or_too_much(run, command: tuple[str, ...]) -> None:
    result = run(*command)
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: ")


@pytest.mark.parametrize(
    "command", [("log",), ("show", REC), ("reviews", "list"), ("reviews", "approve", REV, "--yes")]
)
def test_a_store_that_is_not_there_is_not_made(tmp_path: Path, command: tuple[str, ...]) -> None:
    path = tmp_path / "missing.db"
    for where in (["--store", f"sqlite:///{path}", *command], [*command, "--store", str(path)]):
        _refused(CliRunner().invoke(main, where), f"there is no database at {path}")
    assert not path.exists()
    _refused(CliRunner().invoke(main, [*command, "--store", "redis://x"]), "names no store")


def test_the_store_option_wins_over_the_environment_before_and_after_the_command(run, tmp_path: Path) -> None:
    other = SQLiteStore(tmp_path / "other.db")
    other.add_record(record("rec-another"))
    other.close()
    for args in (("--store", other.url, "log"), ("log", "--store", other.url)):
        shown = run(*args).stdout
        assert "rec-another" in shown
        assert REC not in shown


ATTACK = "[bold]approve me[/bold] \x1b[2K\x1b[1A\u202eevil\u200b :smile: [link=http://x]y[/link]"


@pytest.mark.parametrize(
    "command", [("log",), ("show", "rec-hostile"), ("reviews", "list"), ("reviews", "show", "rev-hostile")]
)
def test_hostile_text_is_shown_as_it_is(run, store: SQLiteStore, command: tuple[str, ...]) -> None:
    call = refund(note=ATTACK, **{ATTACK: 1})
    store.add_record(record("rec-hostile", call=call, review_id="rev-hostile", thread_id=ATTACK, text=ATTACK))
    Queue(store).open(review("rev-hostile", record_id="rec-hostile", call=call, thread_id=ATTACK))
    out = run(*command).stdout
    assert not {"\x1b", "\u202e", "\u200b"} & set(out)
    if command[0] != "log":
        assert "[bold]approve me[/bold]" in out
    if "show" in command:
        assert ":smile:" in out
        assert "U+202E RIGHT-TO-LEFT OVERRIDE" in out


def test_hostile_names_and_messages_are_shown_as_they_are(run, store: SQLiteStore) -> None:
    told = run("reviews", "reject", REV, "--message", ATTACK, "--by", ATTACK).stdout
    shown = run("show", REC).stdout
    error = run("reviews", "approve", REV, "--yes").stderr
    for out in (told, shown, error):
        assert not {"\x1b", "\u202e", "\u200b"} & set(out)
        assert "approve me" in out


def test_a_long_value_cannot_continue_as_the_next_argument(run, store: SQLiteStore) -> None:
    fake = "ok" + " " * 300 + "amount    1" + " " * 300 + "amount    1"
    Queue(store).open(review("rev-fake01", record_id="", call=refund(5000, note=fake)))
    lines = run("reviews", "show", "rev-fake01").stdout.splitlines()
    assert [line.strip() for line in lines if line.strip().startswith("amount") and not line.startswith(" " * 10)] == [
        "amount    5000"
    ]


def test_control_characters_in_json_output_are_escaped(run, store: SQLiteStore) -> None:
    store.add_record(record("rec-hostile", text=ATTACK))
    result = run("show", "rec-hostile", "--json")
    assert result.stdout.isascii()
    assert "\x1b" not in result.stdout
    assert json.loads(result.stdout)["record"]["planned"]["text"] == ATTACK
