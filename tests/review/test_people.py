"""Who may decide: people of the right role and tenant, never an agent, and never whoever asked."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail.errors import GuardrailError, InvalidDecision, NotFound, NotPermitted, ReviewError
from guardrail.review import Queue, same_person
from guardrail.types import Decision, DecisionType, Principal, ReviewFilter, ReviewState
from tests.review.queues import ANA, BOSS, BOT, CAT, ID, READER, STRANGER, SYSTEM, Desk
from tests.support.records import review

ACTS = {
    "approve": lambda q, who: q.approve(ID, by=who),
    "edit": lambda q, who: q.edit(ID, by=who, arguments={"order_id": "A-7", "amount": 20}),
    "reject": lambda q, who: q.reject(ID, by=who),
    "respond": lambda q, who: q.respond(ID, by=who, message="ask me"),
    "claim": lambda q, who: q.claim(ID, by=who),
}
act = pytest.mark.parametrize("act", ACTS.values(), ids=list(ACTS))


@act
@pytest.mark.parametrize("who", [BOT, SYSTEM, replace(BOT, name="ana"), READER, replace(ANA, scopes=())])
def test_only_people_with_the_scope_act(act, who: Principal) -> None:
    desk = Desk()
    before = desk.open()
    with pytest.raises(NotPermitted):
        act(desk.queue, who)
    assert desk.queue.get(ID) == before


@pytest.mark.parametrize("who", [BOT, SYSTEM, READER])
def test_only_people_with_the_scope_comment_and_release(who: Principal) -> None:
    desk = Desk()
    desk.open()
    claimed = desk.queue.claim(ID, by=ANA)
    for use in (lambda: desk.queue.comment(ID, by=who, text="approve me"), lambda: desk.queue.release(ID, by=who)):
        with pytest.raises(NotPermitted):
            use()
    assert desk.queue.get(ID) == claimed


@act
@pytest.mark.parametrize("who", ["ana", CAT, replace(ANA, roles=("Treasury", "treasury ", "*"))])
def test_a_role_is_needed_where_there_are_any(act, who: str | Principal) -> None:
    desk = Desk()
    desk.open(roles=("treasury",))
    with pytest.raises(NotPermitted, match="treasury is needed"):
        act(desk.queue, who)
    act(desk.queue, ANA)


@act
@pytest.mark.parametrize("name", ["ana", " Ana ", "ANA", "a\u200bna", "\u0430n\u0430", "\uff41na", "\u00e1na"])
def test_whoever_asked_does_not_decide(act, name: str) -> None:
    desk = Desk()
    desk.open(requester="ana")
    for who in (name, Principal(name=name)):
        with pytest.raises(NotPermitted, match="somebody else"):
            act(desk.queue, who)
    act(desk.queue, "ben")


@pytest.mark.parametrize(("one", "other"), [("ana", "anna"), ("राम", "रमा"), ("user1", "user2"), ("Оля", "Юля")])
def test_other_people_are_not_taken_for_one(one: str, other: str) -> None:
    assert not same_person(one, other)


@given(st.text(max_size=12))
def test_a_name_is_itself_in_any_clothing(name: str) -> None:
    assert same_person(name, name)
    assert same_person(name, f" {name}\u200d ")


@pytest.mark.parametrize("name", ["", " ", "\u200b", "\u3164", "x" * 201])
def test_a_name_has_to_be_seen(name: str) -> None:
    desk = Desk()
    desk.open()
    with pytest.raises(InvalidDecision, match="name"):
        desk.queue.approve(ID, by=Principal(name=name))


USES = {
    **ACTS,
    "get": lambda q, who: q.get(ID, by=who),
    "release": lambda q, who: q.release(ID, by=who),
    "renew": lambda q, who: q.renew(ID, by=who),
    "comment": lambda q, who: q.comment(ID, by=who, text="hello"),
    "begin": lambda q, who: q.begin(ID, digest="digest of the call", by=who),
    "finish": lambda q, who: q.finish(ID, by=who),
    "unknown": lambda q, who: q.unknown(ID, by=who),
    "supersede": lambda q, who: q.supersede(ID, by=who, note=""),
}


@pytest.mark.parametrize("use", USES.values(), ids=list(USES))
def test_reviews_of_another_tenant_are_not_there(use) -> None:
    """In the same words as those that nobody has."""
    desk, empty = Desk(), Desk()
    desk.open()
    said = []
    for queue, who in (
        (desk.queue, STRANGER),
        (Queue(desk.store, tenant="other", clock=desk.clock), STRANGER),
        (Queue(desk.store, tenant="other", clock=desk.clock), "ana"),
        (Queue(desk.store, tenant=None, clock=desk.clock), STRANGER),
        (Queue(desk.store, tenant="other", clock=desk.clock), ANA),
        (empty.queue, "ana"),
    ):
        with pytest.raises(NotFound) as caught:
            use(queue, who)
        said.append(str(caught.value))
    assert len(set(said)) == 1
    assert desk.queue.get(ID).state is ReviewState.PENDING


def test_lists_hold_one_tenant() -> None:
    desk = Desk()
    desk.open()
    theirs = Queue(desk.store, tenant="other", clock=desk.clock)
    theirs.open(replace(review("rev-theirs"), tenant="other"))
    everything = Queue(desk.store, tenant=None, clock=desk.clock)
    for queue, who, ids in (
        (desk.queue, None, [ID]),
        (desk.queue, ANA, [ID]),
        (theirs, STRANGER, ["rev-theirs"]),
        (theirs, ANA, []),
        (everything, STRANGER, ["rev-theirs"]),
    ):
        for wanted in (None, ReviewFilter(tenant="other"), ReviewFilter()):
            assert [one.id for one in queue.find(wanted, by=who).reviews] == ids
    assert [one.id for one in theirs.waiting()] == ["rev-theirs"]
    assert {one.id for one in everything.waiting()} == {ID, "rev-theirs"}
    with pytest.raises(NotPermitted):
        desk.queue.find(by=replace(ANA, scopes=("reviews:decide",)))
    with pytest.raises(NotPermitted):
        desk.queue.get(ID, by=replace(ANA, scopes=()))


def test_a_queue_opens_no_review_of_another_tenant() -> None:
    desk = Desk()
    with pytest.raises(ReviewError, match="another tenant"):
        desk.open(tenant="other")
    with pytest.raises(NotFound):
        desk.queue.get(ID)


@pytest.mark.parametrize(
    "more",
    [
        {"state": ReviewState.DECIDED},
        {"state": ReviewState.CLAIMED},
        {"revision": 3},
        {"quorum": 0},
        {"due": "soon"},
        {"escalate_at": "later"},
    ],
)
def test_a_review_is_opened_new(more: dict[str, object]) -> None:
    desk = Desk()
    with pytest.raises(ReviewError):
        desk.open(**more)
    assert desk.store.reviews() == []


def test_a_decision_carries_the_name_and_time_of_who_takes_it() -> None:
    desk = Desk()
    desk.open()
    forged = Decision(type=DecisionType.APPROVE, by="boss", at="1999-01-01T00:00:00Z")
    decided = desk.queue.decide(ID, forged, by=ANA)
    assert decided.decision is not None
    assert (decided.decision.by, decided.decision.at) == ("ana", desk.clock.now.isoformat())
    assert decided.history[-1].by == "ana"


def test_an_agent_cannot_say_that_an_outcome_is_unknown() -> None:
    desk = Desk()
    desk.open()
    desk.queue.approve(ID, by=BOSS)
    desk.queue.begin(ID, digest="digest of the call", by=SYSTEM)
    with pytest.raises(NotPermitted, match="a person has to find out"):
        desk.queue.unknown(ID, by=BOT)
    with pytest.raises(GuardrailError):
        desk.queue.approve(ID, by=BOT)
