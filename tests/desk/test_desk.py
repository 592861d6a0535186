"""The desk: one use of a call, whoever asks; an edit under a stricter rule goes before that rule's people."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrail import AsyncGuard, Guard, PlanningStep, Policy, Sample, Store, ToolCall, ToolSpec, open_store
from guardrail.desk import Desk, Kinds, Permitting, PlanAgain, Planned, Refused, WaitsForReview
from guardrail.errors import ConfigError
from guardrail.review import Queue
from guardrail.sampling import ScriptedSampler
from guardrail.types import DecisionType, Principal, Review, ReviewState
from tests.support.approval_trace import taped

TOOL = ToolSpec(
    name="pay",
    parameters={"type": "object", "properties": {"amount": {"type": "integer"}, "password": {"type": "string"}}},
)
STRICT = {
    "tools": [
        {"match": "pay", "tier": "critical", "when": {"amount": {"gt": 1000}}, "reviewers": {"roles": ["board"]}},
        {"match": "pay", "tier": "critical", "when": {"amount": {"gt": 100}}, "reviewers": {"roles": ["finance"]}},
        {"match": "pay", "tier": "critical"},
    ]
}
FINANCE, BOARD = Principal(name="fin", roles=("finance",)), Principal(name="bo", roles=("board",))
CALL = ToolCall(name="pay", arguments={"amount": 5}, id="c1")
THREADS = itertools.count()


class House:
    """One assessed step, and desks over it."""

    def __init__(self, policy: Any, *, store: Store | None = None, call: ToolCall = CALL, thread: str = "t") -> None:
        self.store = open_store("memory://") if store is None else store
        self.call = call
        self.policy = Policy.parse(policy)
        self.guard = Guard(self.policy, ScriptedSampler(lambda _step, n: [Sample(calls=(call,))] * n), self.store)
        self.step = PlanningStep(id="s", planned=Sample(calls=(call,)), tools=(TOOL,), thread_id=thread, request=1)
        self.verdict = self.guard.assess(self.step)
        self.desk = self.another()

    def another(self, **more: Any) -> Desk:
        return Desk(self.guard, thread_id=self.step.thread_id, **more)

    @property
    def queue(self) -> Queue:
        return self.guard.queue

    def only(self) -> Review:
        (review,) = self.queue.waiting()
        return review


@pytest.fixture(autouse=True)
def _approvals_hold() -> Iterator[None]:
    with taped() as tape:
        yield
    assert tape.broken() == []


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[Store]:
    opened = open_store("memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'g.db'}")
    yield opened
    opened.close()


def waits_of(desk: Desk, call: ToolCall = CALL) -> Review:
    with pytest.raises(WaitsForReview) as waits:
        desk.let(call)
    return waits.value.review


def test_one_of_many_gets_the_permit(store: Store) -> None:
    house = House({"tools": [{"match": "pay", "tier": "medium"}]}, store=store)
    got, refused = [], []

    def ask() -> None:
        try:
            got.append(house.another().let(CALL))
        except Refused as why:
            refused.append(why.text)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(got), len(refused)) == (1, 7)
    assert all("Not executed again" in text for text in refused)


def test_the_use_of_a_call_is_kept_with_its_record_and_not_longer(tmp_path: Any) -> None:
    store: Any = open_store(f"sqlite:///{tmp_path / 'g.db'}")
    house = House({"tools": [{"match": "pay", "tier": "medium"}]}, store=store)
    house.desk.let(CALL)
    used = store.info().rows["states"]
    later = replace(house.step, id="s2", planned=Sample(calls=(replace(CALL, id="c2"),)))
    house.guard.assess(later)
    store.prune("2000-01-01T00:00:00Z", by="ann")
    with pytest.raises(Refused, match="Not executed again"):
        house.desk.let(CALL)
    store.prune("2999-01-01T00:00:00Z", by="ann")
    assert store.info().rows["states"] == used - 1
    with pytest.raises(Refused, match="not seen"):
        house.desk.let(CALL)
    store.close()


def test_what_was_not_seen_changed_or_is_unreadable_does_not_run() -> None:
    house = House({"tools": [{"match": "pay", "tier": "medium"}]})
    for call in (
        replace(CALL, id="c2"),
        replace(CALL, arguments={"amount": 6}),
        replace(CALL, name="wipe"),
        Planned(call=CALL, readable=False),
    ):
        for ask in (house.desk.let, house.desk.look):
            with pytest.raises(Refused):
                ask(call)
    for other in ({"thread_id": "u"}, {"namespace": "n"}, {"tenant": "x"}):
        with pytest.raises(Refused, match="not seen"):
            Desk(house.guard, **{"thread_id": "t", **other}).let(CALL)
    assert house.desk.look(CALL).id == house.verdict.record_id
    assert house.desk.let(CALL).call == CALL


def test_exceptions_of_an_adapters_own() -> None:
    class Mine(Refused):
        pass

    house = House({"tools": [{"match": "pay", "tier": "medium"}]})
    planned = Planned(call=replace(CALL, id="other"))
    with pytest.raises(Mine) as held:
        house.another(kinds=Kinds(refused=Mine)).let(planned)
    assert held.value.planned is planned
    assert held.value.call.id == "other"


@pytest.mark.parametrize("how", ["sync", "async"])
async def test_a_function_that_is_missing_uses_nothing_up(how: str) -> None:
    house = House(STRICT)

    async def run(tools: Any) -> Any:
        context = Permitting(house.desk, CALL)
        return await context.arun(tools) if how == "async" else context.run(tools)

    with pytest.raises(WaitsForReview):
        await run({})
    house.queue.approve(house.only().id, by="ann")
    with pytest.raises(ConfigError, match="no function"):
        await run({})
    assert await run({"pay": lambda amount: amount}) == 5
    with pytest.raises(Refused, match="once"):
        await run({"pay": lambda amount: amount})


def test_a_call_that_cannot_be_changed_does_not_run_edited() -> None:
    house = House(STRICT)
    house.queue.edit(house.only().id, by="ann", arguments={"amount": 6})
    with pytest.raises(Refused, match="cannot change"):
        house.desk.let(Planned(call=CALL, fixed=True))
    with pytest.raises(Refused):
        house.desk.let(CALL)


def test_a_started_call_of_which_nobody_knows_goes_to_a_person() -> None:
    house = House(STRICT)
    review = house.only()
    house.queue.approve(review.id, by="ann")
    house.desk.unknown(house.desk.let(CALL), note="the line went dead")
    assert house.queue.get(review.id).state is ReviewState.OUTCOME_UNKNOWN
    with pytest.raises(Refused, match="find out"):
        house.desk.let(CALL)


class TestAnEditUnderAStricterRule:
    def edited(self, store: Store | None = None, amount: int = 500, **more: Any) -> House:
        house = House(STRICT, store=store, **more)
        house.queue.edit(house.only().id, by="ann", arguments={**house.call.arguments, "amount": amount})
        return house

    def test_is_approved_by_its_own_people_and_runs_once(self, store: Store) -> None:
        house = self.edited(store)
        first, again = house.store.reviews()[0], waits_of(house.desk)
        assert (again.call.arguments, again.roles, again.record_id) == ({"amount": 500}, ("finance",), first.record_id)
        assert again.id[:12] in house.queue.get(first.id).history[-1].note
        assert waits_of(house.another()).id == again.id
        house.queue.approve(again.id, by=FINANCE)
        permit = house.desk.let(CALL)
        assert permit.call == replace(CALL, arguments={"amount": 500})
        house.desk.done(permit)
        with pytest.raises(Refused, match="has run, once"):
            house.desk.let(CALL)
        assert [one.state for one in house.store.reviews()] == [ReviewState.SUPERSEDED, ReviewState.DONE]

    def test_the_first_approval_lets_nothing_run_any_more(self) -> None:
        house = self.edited()
        again = waits_of(house.desk)
        house.queue.reject(again.id, by=FINANCE, message="never")
        for _ in range(2):
            with pytest.raises(Refused, match="never") as refused:
                house.desk.let(CALL)
            assert refused.value.decision is DecisionType.REJECT

    def test_edited_on_it_climbs_as_far_as_it_has_to(self) -> None:
        house = self.edited()
        second = waits_of(house.desk)
        house.queue.edit(second.id, by=FINANCE, arguments={"amount": 5000})
        third = waits_of(house.desk)
        assert (third.roles, third.call.arguments) == (("board",), {"amount": 5000})
        house.queue.edit(third.id, by=BOARD, arguments={"amount": 7})
        assert house.desk.let(CALL).call.arguments == {"amount": 7}
        assert len(house.store.reviews()) == 3

    def test_edited_on_within_its_rule_it_runs(self) -> None:
        """The second edit is held against the first, which its people have seen, and not against the plan."""
        house = self.edited()
        house.queue.edit(waits_of(house.desk).id, by=FINANCE, arguments={"amount": 400})
        assert house.desk.let(CALL).call.arguments == {"amount": 400}
        assert len(house.store.reviews()) == 2

    def test_an_approval_of_another_call_lets_no_edit_run(self) -> None:
        house = self.edited()
        again = waits_of(house.desk)
        queue = house.queue
        queue.supersede(again.id, by="ann", note="not wanted any more")
        other = replace(again, id="another", call=replace(again.call, arguments={"amount": 9}), raw="")
        queue.approve(queue.open(other).id, by=FINANCE)
        with pytest.raises(Refused, match="not the one that was approved"):
            house.desk.let(CALL)

    def test_the_edited_call_itself_was_never_planned(self) -> None:
        house = self.edited()
        house.queue.approve(waits_of(house.desk).id, by=FINANCE)
        with pytest.raises(Refused, match="changed"):
            house.desk.let(replace(CALL, arguments={"amount": 500}))

    def test_a_crash_in_between_loses_nothing(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        house = self.edited(store)

        def crash(*_: Any, **__: Any) -> Any:
            raise KeyboardInterrupt

        with monkeypatch.context() as broken:
            broken.setattr(Queue, "open", crash)
            with pytest.raises(KeyboardInterrupt):
                house.desk.let(CALL)
        assert [one.state for one in store.reviews()] == [ReviewState.SUPERSEDED]
        again = waits_of(house.another())
        house.queue.approve(again.id, by=FINANCE)
        assert house.desk.let(CALL).call.arguments == {"amount": 500}

    def test_one_that_was_called_off_otherwise_stays_so(self) -> None:
        house = self.edited()
        house.queue.supersede(house.store.reviews()[0].id, by="ann", note="not wanted any more")
        for _ in range(2):
            with pytest.raises(Refused):
                house.desk.let(CALL)
        assert house.queue.waiting() == []

    def test_asked_for_at_once_there_is_one_review(self, store: Store) -> None:
        house = self.edited(store)
        found: list[str] = []

        def ask() -> None:
            try:
                house.another().let(CALL)
            except WaitsForReview as waits:
                found.append(waits.review_id)

        threads = [threading.Thread(target=ask) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 6
        assert set(found) == {house.only().id}

    def test_what_is_hidden_runs_as_it_was_planned(self) -> None:
        call = ToolCall(name="pay", arguments={"amount": 5, "password": "hunter2-of-mine"}, id="c1")
        house = House(STRICT, call=call)
        first = house.only()
        assert first.hidden == ("/password",)
        house.queue.edit(first.id, by="ann", arguments={**first.call.arguments, "amount": 500})
        again = waits_of(house.desk, call)
        assert "hunter2" not in str(again)
        assert again.call.arguments["amount"] == 500
        house.queue.approve(again.id, by=FINANCE)
        assert house.desk.let(call).call.arguments == {"amount": 500, "password": "hunter2-of-mine"}

    @pytest.mark.parametrize("how", ["sync", "async"])
    async def test_waiting_goes_on_to_the_second_decision(self, how: str) -> None:
        house, asked = House(STRICT), threading.Event()

        class Asked(WaitsForReview):
            def decided(self) -> bool:
                asked.set()
                return super().decided()

        def people() -> None:
            asked.wait(30)
            decide: list[Callable[[Review], Any]] = [
                lambda review: house.queue.edit(review.id, by="ann", arguments={"amount": 500}),
                lambda review: house.queue.approve(review.id, by=FINANCE),
            ]
            for one in decide:
                mark = house.store.change_mark()
                while not (waiting := house.queue.waiting()):
                    house.store.wait_for_change(1.0, since=mark)
                    mark = house.store.change_mark()
                one(waiting[0])

        thread = threading.Thread(target=people, daemon=True)
        thread.start()
        context = Permitting(house.another(kinds=Kinds(waits=Asked)), CALL)
        tools = {"pay": lambda amount: amount}
        ran = await context.arun(tools, wait=30) if how == "async" else context.run(tools, wait=30)
        thread.join()
        assert ran == 500


@settings(max_examples=60, deadline=None)
@given(edits=st.lists(st.integers(0, 2000), min_size=1, max_size=4))
def test_only_what_the_right_people_saw_last_runs(edits: list[int]) -> None:
    """Whatever people edit a call to, one after the other: what runs was decided on by those of its own rule."""
    house = House(STRICT, thread=f"t{next(THREADS)}")
    roles = {"": "ann", "finance": FINANCE, "board": BOARD}
    for amount in edits:
        waiting = house.queue.waiting()
        if not waiting:
            break
        house.queue.edit(waiting[0].id, by=roles["".join(waiting[0].roles)], arguments={"amount": amount})
        try:
            ran = house.desk.let(CALL).call.arguments["amount"]
        except WaitsForReview:
            continue
        last = house.store.reviews()[-1]
        assert (last.state, last.decision.arguments) == (ReviewState.EXECUTING, {"amount": ran})  # type: ignore[union-attr]
        needs = house.policy.resolve(replace(CALL, arguments={"amount": ran}), TOOL).reviewers.roles
        order = ["", "finance", "board"]
        assert order.index("".join(last.roles)) >= order.index("".join(needs))
        break


async def test_of_an_asynchronous_desk_waiting_is_awaited() -> None:
    store = open_store("memory://")
    guard = AsyncGuard(Policy.parse(STRICT), ScriptedSampler(lambda _s, n: [Sample(calls=(CALL,))] * n), store)
    await guard.assess(PlanningStep(id="s", planned=Sample(calls=(CALL,)), tools=(TOOL,), thread_id="t", request=1))
    desk = Desk(guard, thread_id="t", wakes=True)
    with pytest.raises(WaitsForReview) as waits:
        desk.let(CALL)
    assert await waits.value.wait(0.0) is False
    guard.queue.approve(waits.value.review_id, by="ann")
    assert await waits.value.wait(30.0) is True
    assert desk.let(CALL).call == CALL


def test_the_doubtful_is_planned_again() -> None:
    amounts = iter(range(100))
    store = open_store("memory://")

    def differing(_step: Any, n: int) -> list[Sample]:
        return [Sample(calls=(replace(CALL, arguments={"amount": next(amounts)}),)) for _ in range(n)]

    guard = Guard(Policy.parse({"tools": [{"match": "pay", "tier": "medium"}]}), ScriptedSampler(differing), store)
    guard.assess(PlanningStep(id="s", planned=Sample(calls=(CALL,)), tools=(TOOL,), thread_id="t", request=1))
    desk = Desk(guard, thread_id="t")
    with pytest.raises(PlanAgain):
        desk.let(CALL)
    assert desk.attempt(["c1"]) == 1
    assert desk.attempt(["c2"]) == desk.attempt([]) == 0
