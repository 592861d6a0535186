from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from guardrail.errors import GuardrailError, InvalidDecision, NotFound, ReviewConflict, ReviewError
from guardrail.review import Queue
from guardrail.store import Store, open_store
from guardrail.types import Decision, DecisionType, Fault, LabelSource, ReviewState, ToolSpec
from tests.support.records import REFUND, record, refund, review

ID = "rev-000001"
DIGEST = "digest of the call"
S = ReviewState


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path) -> Iterator[Store]:
    opened = open_store("memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'guardrail.db'}")
    opened.add_record(record(review_id=ID))
    yield opened
    opened.close()


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 1, 2, 4, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@pytest.fixture
def queue(store: Store) -> Queue:
    queue = Queue(store, clock=Clock())
    queue.open(review())
    return queue


def test_opening_twice_leaves_the_first_as_it_stands(queue: Queue) -> None:
    queue.reject(ID, by="ana")
    assert queue.open(replace(review(), at="2026-02-02T00:00:00Z", digest="under another policy")) == queue.get(ID)
    assert queue.get(ID).state is S.DECIDED


def test_a_review_cannot_be_opened_for_other_arguments(queue: Queue) -> None:
    for other in (refund(1000), refund(100.0), refund(True)):
        with pytest.raises(ReviewConflict, match="other arguments"):
            queue.open(review(call=other))
    assert queue.get(ID) == review()


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), (1, 2), object()])
def test_a_call_that_people_would_see_otherwise_than_it_runs_is_refused(queue: Queue, bad: object) -> None:
    with pytest.raises(ReviewError, match="do not run it"):
        queue.open(review("rev-000002", call=refund(extra=bad)))
    with pytest.raises(NotFound):
        queue.get("rev-000002")


def test_an_approval_lets_the_call_run_once(queue: Queue) -> None:
    queue.approve(ID, by="ana")
    assert queue.begin(ID, digest=DIGEST, by="worker").state is S.EXECUTING
    for _ in range(2):
        with pytest.raises(ReviewConflict, match="only once"):
            queue.begin(ID, digest=DIGEST, by="worker")
    done = queue.finish(ID, by="worker", note="refunded")
    with pytest.raises(ReviewConflict, match="only once"):
        queue.begin(ID, digest=DIGEST, by="worker")
    assert [(event.state, event.by, event.note) for event in done.history] == [
        (S.DECIDED, "ana", "approve"),
        (S.EXECUTING, "worker", ""),
        (S.DONE, "worker", "refunded"),
    ]
    assert [event.at for event in done.history] == sorted(event.at for event in done.history)
    assert done.revision == 3


def test_an_edit_runs_once_with_the_edited_arguments(queue: Queue) -> None:
    queue.edit(ID, by="ana", arguments={"order_id": "A-7", "amount": 20})
    begun = queue.begin(ID, digest=DIGEST, by="worker")
    assert begun.decision is not None
    assert begun.decision.arguments == {"order_id": "A-7", "amount": 20}
    assert begun.call == refund(100)
    with pytest.raises(ReviewConflict):
        queue.begin(ID, digest=DIGEST, by="worker")


def test_nothing_runs_before_a_decision(queue: Queue) -> None:
    with pytest.raises(ReviewConflict, match="is pending"):
        queue.begin(ID, digest=DIGEST, by="worker")
    assert queue.get(ID) == review()


@pytest.mark.parametrize("refuse", [lambda q: q.reject(ID, by="ana"), lambda q: q.respond(ID, by="ana", message="no")])
def test_a_refused_call_is_closed_and_never_runs(queue: Queue, refuse) -> None:
    refuse(queue)
    with pytest.raises(ReviewConflict, match="by ana"):
        queue.begin(ID, digest=DIGEST, by="worker")
    assert queue.finish(ID, by="worker").state is S.DONE
    with pytest.raises(ReviewConflict):
        queue.begin(ID, digest=DIGEST, by="worker")


def test_an_approved_call_is_not_finished_before_it_runs(queue: Queue) -> None:
    queue.approve(ID, by="ana")
    with pytest.raises(ReviewConflict, match="is decided"):
        queue.finish(ID, by="worker")


def test_an_approval_does_not_cover_a_call_that_changed(queue: Queue) -> None:
    queue.approve(ID, by="ana")
    with pytest.raises(ReviewConflict, match="the call changed since"):
        queue.begin(ID, digest="another", by="worker")
    assert queue.get(ID).state is S.DECIDED


def test_a_decision_is_taken_once(queue: Queue) -> None:
    queue.reject(ID, by="ana", message="too much")
    for second in (
        lambda: queue.approve(ID, by="ben"),
        lambda: queue.approve(ID, by="ana"),
        lambda: queue.reject(ID, by="ben", message="too much"),
        lambda: queue.reject(ID, by="ana", message="another reason"),
        lambda: queue.edit(ID, by="ana", arguments={"order_id": "A-7", "amount": 1}),
    ):
        with pytest.raises(ReviewConflict, match=r"reject by ana at 2026-01-02T04:00"):
            second()


def test_a_second_click_changes_nothing_and_decides_no_other_call(queue: Queue, store: Store) -> None:
    queue.open(review("rev-000002"))
    first = queue.edit(ID, by="ana", arguments={"order_id": "A-7", "amount": 20})
    assert queue.edit(ID, by="ana", arguments={"amount": 20, "order_id": "A-7"}) == first
    queue.begin(ID, digest=DIGEST, by="worker")
    assert queue.edit(ID, by="ana", arguments={"order_id": "A-7", "amount": 20}).state is S.EXECUTING
    with pytest.raises(ReviewConflict):
        queue.edit(ID, by="ana", arguments={"order_id": "A-7", "amount": 20.0})
    assert queue.get("rev-000002").state is S.PENDING
    assert len(store.record("rec-000001").labels) == 1


def test_a_review_that_is_no_longer_asked_cannot_be_decided(queue: Queue) -> None:
    queue.supersede(ID, by="guard", note="a new message came")
    assert queue.supersede(ID, by="guard", note="again").revision == 1
    with pytest.raises(ReviewConflict, match=r"superseded since .* \(by guard\)"):
        queue.approve(ID, by="ana")
    assert queue.waiting() == []


def test_an_approval_that_was_called_off_never_runs(queue: Queue) -> None:
    queue.approve(ID, by="ana")
    queue.supersede(ID, by="guard", note="a new message came")
    with pytest.raises(ReviewConflict):
        queue.begin(ID, digest=DIGEST, by="worker")
    with pytest.raises(ReviewConflict, match="superseded"):
        queue.approve(ID, by="ana")


def test_a_call_that_runs_can_no_longer_be_called_off(queue: Queue) -> None:
    queue.approve(ID, by="ana")
    queue.begin(ID, digest=DIGEST, by="worker")
    with pytest.raises(ReviewConflict, match="runs or has run"):
        queue.supersede(ID, by="guard", note="too late")
    assert queue.unknown(ID, by="ana", note="looked: cannot tell").state is S.OUTCOME_UNKNOWN
    with pytest.raises(ReviewConflict):
        queue.finish(ID, by="worker")


def _decision(kind: DecisionType = DecisionType.APPROVE, **more) -> Decision:
    return Decision(**{"type": kind, "by": "ana", "at": "2026-01-02T04:00:00+00:00", **more})


@pytest.mark.parametrize(
    ("decision", "said"),
    [
        (_decision(DecisionType.RESPOND, message="hello"), "respond is not allowed for this call of refund"),
        (_decision(by=" "), "name of who takes it"),
        (_decision(arguments={}), "no other decision"),
        (_decision(DecisionType.REJECT, arguments=refund().arguments), "no other decision"),
        (_decision(DecisionType.REJECT, message="x" * 20_001), "limit is 20000"),
        (_decision(DecisionType.EDIT), "an edit needs arguments"),
        (_decision(DecisionType.EDIT, arguments={"amount": "much", "order_id": "A-7"}), "is not of type 'number'"),
        (_decision(DecisionType.EDIT, arguments={"amount": 1, "order_id": "A-7", "to": "me"}), "'to' is not an arg"),
        (_decision(DecisionType.EDIT, arguments={"amount": float("nan"), "order_id": "A-7"}), "no JSON"),
    ],
)
def test_decisions_that_cannot_be_taken(store: Store, decision: Decision, said: str) -> None:
    queue = Queue(store)
    allowed = (DecisionType.APPROVE, DecisionType.EDIT, DecisionType.REJECT)
    queue.open(review(decisions=allowed))
    with pytest.raises(InvalidDecision, match=said):
        queue.decide(ID, decision)
    assert queue.get(ID) == review(decisions=allowed)
    assert store.record("rec-000001").labels == ()


def test_a_response_needs_words(queue: Queue) -> None:
    with pytest.raises(InvalidDecision, match="needs a message"):
        queue.respond(ID, by="ana", message=" ")


def test_an_edit_is_checked_against_the_schema_it_is_given(queue: Queue) -> None:
    strict = ToolSpec(name="refund", parameters={"properties": {"order_id": {"const": "A-8"}, "amount": {}}})
    edit = _decision(DecisionType.EDIT, arguments={"order_id": "A-7", "amount": 20})
    with pytest.raises(InvalidDecision, match="A-8"):
        queue.decide(ID, edit, tool=strict)
    assert queue.decide(ID, edit, tool=REFUND).state is S.DECIDED


@pytest.mark.parametrize("identity", ["rev-no-record", "rev-no-tool"])
def test_an_edit_that_cannot_be_checked_is_refused(store: Store, identity: str) -> None:
    store.add_record(record("rec-no-tool", tools=()))
    queue = Queue(store)
    queue.open(review(identity, record_id="" if identity == "rev-no-record" else "rec-no-tool"))
    with pytest.raises(InvalidDecision, match="cannot be checked"):
        queue.edit(identity, by="ana", arguments=refund().arguments)
    assert queue.approve(identity, by="ana").state is S.DECIDED


@pytest.mark.parametrize(
    ("decide", "correct"),
    [
        (lambda q: q.approve(ID, by="ana"), True),
        (lambda q: q.edit(ID, by="ana", arguments={"order_id": "A-7", "amount": 20}), False),
        (lambda q: q.edit(ID, by="ana", arguments=refund().arguments), True),
        (lambda q: q.reject(ID, by="ana"), False),
        (lambda q: q.respond(ID, by="ana", message="which order?"), None),
    ],
)
def test_a_decision_is_a_label_of_the_plan(queue: Queue, store: Store, decide, correct: bool | None) -> None:
    decided = decide(queue)
    labels = store.record("rec-000001").labels
    if correct is None:
        assert labels == ()
    else:
        (label,) = labels
        assert (label.call_id, label.correct, label.source, label.by) == ("call_1", correct, LabelSource.REVIEW, "ana")
        assert label.at == decided.decision.at


def test_the_review_of_an_edit_is_the_one_that_counts_and_says_nothing_about_the_plan(
    queue: Queue, store: Store
) -> None:
    queue.edit(ID, by="ana", arguments={"order_id": "A-7", "amount": 900})
    queue.open(review("rev-of-the-edit", call=refund(900), at="2026-01-02T05:00:00Z"))
    assert queue.standing(ID).id == "rev-of-the-edit"
    assert queue.standing("rev-of-the-edit").id == "rev-of-the-edit"
    queue.approve("rev-of-the-edit", by="ben")
    assert [(label.correct, label.by) for label in store.record("rec-000001").labels] == [(False, "ana")]


def test_the_review_of_a_sibling_does_not_count_for_a_call(queue: Queue) -> None:
    queue.open(review("rev-sibling", call=replace(refund(900), id="call_2"), at="2026-01-02T05:00:00Z"))
    queue.open(review("rev-other-record", record_id="rec-000002", at="2026-01-02T05:00:00Z"))
    assert queue.standing(ID).id == ID


def test_people_may_shorten_ids_but_nothing_runs_on_a_shortened_one(queue: Queue) -> None:
    assert queue.approve("rev-00", by="ana").id == ID
    with pytest.raises(NotFound, match="whole id"):
        queue.begin("rev-00", digest=DIGEST, by="worker")
    with pytest.raises(NotFound, match="whole id"):
        queue.supersede("rev-00", by="worker", note="")


def test_an_unknown_review(queue: Queue) -> None:
    for use in (
        lambda: queue.approve("rev-999999", by="ana"),
        lambda: queue.begin("rev-999999", digest=DIGEST, by="worker"),
        lambda: queue.finish("rev-999999", by="worker"),
    ):
        with pytest.raises(NotFound, match="there is no review"):
            use()


def test_listing_what_waits(queue: Queue) -> None:
    queue.open(review("rev-000002", thread_id="thread-2", at="2026-01-01T00:00:00Z"))
    queue.open(review("rev-000003"))
    queue.reject("rev-000003", by="ana")
    assert [one.id for one in queue.waiting()] == ["rev-000002", ID]
    assert [one.id for one in queue.waiting(thread_id="thread-2")] == ["rev-000002"]
    assert [one.id for one in queue.in_states(frozenset({S.DECIDED}))] == ["rev-000003"]


def _race(count: int, act) -> list[object]:
    start = threading.Barrier(count)

    def run(n: int) -> object:
        start.wait()
        try:
            return act(n)
        except GuardrailError as error:
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_of_racing_reviewers_exactly_one_decides(queue: Queue, store: Store) -> None:
    for n in range(5):
        identity = f"rev-race-{n}"
        queue.open(review(identity))
        acts = (lambda i, by: queue.approve(i, by=by), lambda i, by: queue.reject(i, by=by))
        results = _race(6, lambda k, i=identity, acts=acts: acts[k % 2](i, f"person {k}"))
        won = [one for one in results if not isinstance(one, Exception)]
        assert len(won) == 1
        assert all(isinstance(one, ReviewConflict) for one in results if isinstance(one, Exception))
        assert queue.get(identity) == won[0]
    assert len(store.record("rec-000001").labels) == 5


def test_of_racing_dispatchers_exactly_one_runs_the_call(queue: Queue) -> None:
    queue.approve(ID, by="ana")
    results = _race(8, lambda n: queue.begin(ID, digest=DIGEST, by=f"worker {n}"))
    assert sum(not isinstance(one, Exception) for one in results) == 1
    assert sum(isinstance(one, ReviewConflict) for one in results) == 7


def test_of_a_dispatcher_and_a_canceller_exactly_one_wins(queue: Queue) -> None:
    for n in range(8):
        identity = f"rev-race-{n}"
        queue.open(review(identity))
        queue.approve(identity, by="ana")
        begun, called_off = _race(
            2,
            lambda k, i=identity: queue.begin(i, digest=DIGEST, by="w") if k else queue.supersede(i, by="g", note=""),
        )[::-1]
        assert isinstance(begun, Exception) != isinstance(called_off, Exception)


@pytest.mark.parametrize("fault", [None, *Fault])
def test_what_is_wrong_with_a_refused_call_is_kept_with_its_label(
    store: Store, queue: Queue, fault: Fault | None
) -> None:
    decided = queue.reject(ID, by="ana", fault=fault)
    assert decided.decision is not None
    assert decided.decision.fault is fault
    assert queue.reject(ID, by="ana", fault=fault) == decided
    (label,) = store.record("rec-000001").labels
    assert (label.correct, label.fault) == (False, fault)


def test_an_approval_finds_no_fault(store: Store, queue: Queue) -> None:
    with pytest.raises(InvalidDecision, match="no fault"):
        queue.decide(ID, Decision(type=DecisionType.APPROVE, by="ana", at="2026-01-02T00:00:00Z", fault=Fault.WRONG))
