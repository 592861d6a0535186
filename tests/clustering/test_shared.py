"""A judge that everybody shares: kept answers, shared batches, failures and cancellations that stay where they are."""

from __future__ import annotations

import asyncio
import gc
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail.clustering import ExactEntailment, SharedEntailment, TextPair, shared
from guardrail.errors import ConfigError, EntailmentError
from tests.support.entailment_conformance import EntailmentLaws, pair, swapped


def alike(one: TextPair) -> bool:
    return one.a.casefold().strip(" !") == one.b.casefold().strip(" !")


class Recording:
    """Judges by letters, and remembers its batches; ``gate`` holds it back, ``faults`` are raised first."""

    name = "recording"

    def __init__(self, *faults: Exception, held: bool = False) -> None:
        self.batches: list[tuple[TextPair, ...]] = []
        self.faults = list(faults)
        self.started = threading.Event()
        self.gate = threading.Event()
        self.agate = asyncio.Event()
        if not held:
            self.gate.set()
            self.agate.set()

    def answer(self, pairs):
        if self.faults:
            raise self.faults.pop(0)
        return [alike(one) for one in pairs]

    def equivalent(self, pairs):
        self.batches.append(tuple(pairs))
        self.started.set()
        assert self.gate.wait(10)
        return self.answer(pairs)

    async def aequivalent(self, pairs):
        self.batches.append(tuple(pairs))
        await self.agate.wait()
        return self.answer(pairs)


class TestShared(EntailmentLaws):
    same = ("cancel it", "Cancel it!")

    @pytest.fixture(params=[0, 1, 100])
    def entailment(self, request):
        return SharedEntailment(Recording(), cache=request.param)


def test_it_speaks_in_the_backends_name():
    assert SharedEntailment(Recording()).name == "recording"


def test_a_known_pair_is_not_asked_again_whatever_its_order():
    backend = Recording()
    judge = SharedEntailment(backend)
    first = judge.equivalent([pair("Go", "go"), pair("go", "stop")])
    again = judge.equivalent([swapped(pair("go", "stop")), pair("Go", "go"), pair("wait", "stop")])
    assert (list(first), first.known) == ([True, False], 0)
    assert (list(again), again.known) == ([False, True, False], 2)
    assert [len(batch) for batch in backend.batches] == [2, 1]
    figures = judge.figures
    assert (figures.hits, figures.misses, figures.pairs, figures.batches) == (2, 3, 3, 2)


async def test_both_ways_of_asking_share_the_answers():
    backend = Recording()
    judge = SharedEntailment(backend)
    judge.equivalent([pair("a", "b")])
    assert (await judge.aequivalent([pair("a", "b")])).known == 1
    assert len(backend.batches) == 1


def test_a_pair_that_comes_twice_is_asked_once():
    backend = Recording()
    assert SharedEntailment(backend).equivalent([pair("a", "A"), pair("A", "a")]) == [True, True]
    assert [len(batch) for batch in backend.batches] == [1]


@pytest.mark.parametrize(("texts_only", "asked"), [(False, 2), (True, 1)])
def test_another_argument_is_another_question_unless_the_backend_reads_texts_only(texts_only, asked):
    backend = Recording()
    backend.texts_only = texts_only
    judge = SharedEntailment(backend)
    judge.equivalent([pair("a", "b", argument="memo")])
    judge.equivalent([pair("a", "b", argument="title")])
    assert len(backend.batches) == asked


def test_the_answers_used_last_are_kept():
    backend = Recording()
    judge = SharedEntailment(backend, cache=2)
    old, used, new = pair("a", "b"), pair("c", "d"), pair("e", "f")
    for one in (used, old, used, new, used):
        judge.equivalent([one])
    assert judge.figures.hits == 2
    judge.equivalent([old])
    assert backend.batches == [(used,), (old,), (new,), (old,)]


def test_no_cache_keeps_nothing_and_a_negative_one_is_refused():
    backend = Recording()
    judge = SharedEntailment(backend, cache=0)
    for _ in range(2):
        judge.equivalent([pair("a", "b")])
    assert len(backend.batches) == 2
    with pytest.raises(ConfigError, match="at least 0"):
        SharedEntailment(backend, cache=-1)


@pytest.mark.parametrize("answers", [[], [True, True], None, 1])
def test_a_backend_that_does_not_answer_each_pair_has_failed(answers):
    class Short(Recording):
        def answer(self, pairs):
            return answers

    with pytest.raises(EntailmentError, match="one answer for each of 1"):
        SharedEntailment(Short()).equivalent([pair("a", "b")])


def test_only_a_plain_true_is_yes():
    class Vague(Recording):
        def answer(self, pairs):
            return [1, "yes", True][: len(pairs)]

    asked = [pair("a", "b"), pair("a", "c"), pair("a", "d")]
    assert SharedEntailment(Vague()).equivalent(asked) == [False, False, True]


def test_a_failure_is_not_kept():
    backend = Recording(EntailmentError("out of memory"))
    judge = SharedEntailment(backend)
    with pytest.raises(EntailmentError, match="out of memory"):
        judge.equivalent([pair("a", "A")])
    assert judge.equivalent([pair("a", "A")]) == [True]
    assert judge.figures.batches == 1


class TestThreads:
    def run(self, judge, backend, requests):
        """Starts the first request, the others while it runs, and gives what became of each."""
        with ThreadPoolExecutor(len(requests)) as pool:
            futures = [pool.submit(judge.equivalent, requests[0])]
            assert backend.started.wait(10)
            futures += [pool.submit(judge.equivalent, request) for request in requests[1:]]
            while judge.figures.misses + judge.figures.hits < sum(map(len, requests)):
                pass  # until all have asked; joining a queue follows at once
            threading.Event().wait(0.05)
            backend.gate.set()
            return [future.exception(10) or future.result() for future in futures]

    def test_requests_that_meet_share_a_batch_and_each_gets_its_own_answers(self):
        backend = Recording(held=True)
        judge = SharedEntailment(backend)
        requests = [
            [pair("a", "b")],
            [pair("a", "A"), pair("c", "d")],
            [pair("c", "d"), pair("e", "E")],
            [pair("a", "b"), pair("f", "F")],
        ]
        found = self.run(judge, backend, requests)
        assert found == [[alike(one) for one in request] for request in requests]
        assert [len(batch) for batch in backend.batches] == [1, 4]

    def test_a_failure_is_for_its_batch_only(self):
        backend = Recording(RuntimeError("boom"), held=True)
        judge = SharedEntailment(backend)
        first, second, third = self.run(judge, backend, [[pair("a", "b")], [pair("c", "C")], [pair("c", "C")]])
        assert isinstance(first, RuntimeError)
        assert (second, third) == ([True], [True])

    def test_who_shares_a_pair_with_a_batch_that_fails_fails_too(self):
        backend = Recording(RuntimeError("boom"), held=True)
        judge = SharedEntailment(backend)
        found = self.run(judge, backend, [[pair("a", "b")], [pair("a", "b"), pair("c", "C")]])
        assert [type(one) for one in found] == [RuntimeError, RuntimeError]

    def test_an_interrupt_is_for_whoever_was_interrupted(self):
        class Interrupted(Recording):
            def answer(self, pairs):
                if len(self.batches) == 1:
                    raise KeyboardInterrupt
                return super().answer(pairs)

        backend = Interrupted(held=True)
        judge = SharedEntailment(backend)
        first, second, third = self.run(judge, backend, [[pair("a", "b")], [pair("a", "b")], [pair("c", "C")]])
        assert isinstance(first, KeyboardInterrupt)
        assert isinstance(second, EntailmentError)
        assert third == [True]

    def test_many_threads_at_once(self):
        judge = SharedEntailment(Recording(), cache=50)
        texts = [f"{'x' * (number % 7)}{'!' * (number % 3)}" for number in range(21)]

        def ask(start):
            asked = [pair(texts[start], texts[(start + step) % 21]) for step in range(1, 15)]
            assert judge.equivalent(asked) == [alike(one) for one in asked]

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(ask, [number % 21 for number in range(200)]))


class TestTasks:
    async def test_requests_that_come_at_once_share_one_batch(self):
        backend = Recording()
        judge = SharedEntailment(backend)
        requests = [[pair("a", f"b{number}"), pair("a", "A")] for number in range(20)]
        found = await asyncio.gather(*map(judge.aequivalent, requests))
        assert [list(one) for one in found] == [[False, True]] * 20
        assert [len(batch) for batch in backend.batches] == [21]

    async def test_those_that_come_while_a_batch_runs_make_up_the_next(self):
        backend = Recording(held=True)
        judge = SharedEntailment(backend)
        first = asyncio.create_task(judge.aequivalent([pair("a", "b")]))
        await asyncio.sleep(0.01)
        others = [asyncio.create_task(judge.aequivalent([pair("c", text), pair("a", "b")])) for text in "CDE"]
        await asyncio.sleep(0.01)
        assert [len(batch) for batch in backend.batches] == [1]
        backend.agate.set()
        assert [await one for one in (first, *others)] == [[False], [True, False], [False, False], [False, False]]
        assert [len(batch) for batch in backend.batches] == [1, 3]

    @pytest.mark.parametrize("cancelled", [0, 1, 2])
    async def test_a_cancelled_waiter_takes_nobody_along(self, cancelled):
        backend = Recording(held=True)
        judge = SharedEntailment(backend)
        tasks = [asyncio.create_task(judge.aequivalent([pair("a", "A")]))]
        await asyncio.sleep(0.01)
        tasks += [asyncio.create_task(judge.aequivalent([pair("a", "A"), pair("c", "C")])) for _ in range(2)]
        await asyncio.sleep(0.01)
        tasks[cancelled].cancel()
        await asyncio.sleep(0.01)
        backend.agate.set()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(found.pop(cancelled), asyncio.CancelledError)
        assert [set(one) for one in found] == [{True}] * 2

    async def test_a_failure_is_for_its_batch_only(self):
        backend = Recording(RuntimeError("boom"), held=True)
        judge = SharedEntailment(backend)
        first = asyncio.create_task(judge.aequivalent([pair("a", "b")]))
        await asyncio.sleep(0.01)
        second = asyncio.create_task(judge.aequivalent([pair("c", "C")]))
        await asyncio.sleep(0.01)
        backend.agate.set()
        with pytest.raises(RuntimeError, match="boom"):
            await first
        assert await second == [True]
        assert await judge.aequivalent([pair("a", "b")]) == [False]

    def test_each_event_loop_has_its_own_batches_and_all_share_the_answers(self):
        backend = Recording()
        judge = SharedEntailment(backend)
        for _ in range(3):
            assert asyncio.run(judge.aequivalent([pair("a", "A")])) == [True]
        assert len(backend.batches) == 1

    def test_a_loop_that_ends_in_the_middle_of_a_batch_leaves_the_judge_usable(self):
        backend = Recording(held=True)
        judge = SharedEntailment(backend)

        async def give_up():
            await asyncio.wait_for(judge.aequivalent([pair("a", "A")]), 0.01)

        with pytest.raises(TimeoutError):
            asyncio.run(give_up())
        backend.gate.set()
        assert judge.equivalent([pair("a", "A")]) == [True]

    async def test_a_thread_does_not_wait_for_the_tasks_of_a_loop(self):
        backend = Recording(held=True)
        backend.gate.set()
        judge = SharedEntailment(backend)
        task = asyncio.create_task(judge.aequivalent([pair("a", "A")]))
        await asyncio.sleep(0.01)
        assert judge.equivalent([pair("a", "A")]) == [True]  # in the loop's own thread, while its batch hangs
        backend.agate.set()
        assert await task == [True]


def test_whoever_brings_the_same_backend_gets_its_answers():
    backend = Recording()
    SharedEntailment(backend).equivalent([pair("a", "b")])
    assert shared(backend).equivalent([pair("a", "b")]).known == 1
    assert shared(Recording()).equivalent([pair("a", "b")]).known == 0
    for stays in (shared(backend), ExactEntailment()):
        assert shared(stays) is stays


def test_what_a_backend_said_is_forgotten_with_it():
    class Heavy(Recording):
        alive = 0

        def __init__(self):
            super().__init__()
            Heavy.alive += 1

        def __del__(self):
            Heavy.alive -= 1

    for _ in range(20):  # as many as it takes for an id to be given out again
        assert shared(Heavy()).equivalent([pair("a", "b")]).known == 0
        gc.collect()
    assert Heavy.alive == 0


def test_a_backend_that_nothing_can_refer_to_weakly_is_asked_all_the_same():
    class Slim:
        __slots__ = ()
        name = "slim"

        def equivalent(self, pairs):
            return [True] * len(pairs)

    assert SharedEntailment(Slim()).equivalent([pair("a", "b")]) == [True]


words = st.sampled_from(["a", "A", "b", "B!", "", " ", "ä"])


@given(st.lists(st.lists(st.tuples(words, words), max_size=6), max_size=8), st.integers(0, 5))
def test_cached_or_not_the_answers_are_the_backends(requests, size):
    judge = SharedEntailment(Recording(), cache=size)
    for request in requests:
        pairs = [pair(*texts) for texts in request]
        assert judge.equivalent(pairs) == [alike(one) for one in pairs]
