"""One judge of language for everything in flight: answers are kept, and requests that meet share a batch."""

from __future__ import annotations

import contextvars
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, ref

from guardrail.clustering.entailment import AsyncEntailment, Entailment, ExactEntailment, TextPair
from guardrail.codec import digest
from guardrail.errors import ConfigError, EntailmentError

if TYPE_CHECKING:
    import asyncio


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What a shared judge was asked so far, in pairs: ``hits`` were known, ``misses`` were not.

    ``pairs`` were put to the backend, in ``batches`` calls; misses beyond them joined a pair in flight.
    """

    hits: int
    misses: int
    pairs: int
    batches: int


class Answers(list[bool]):
    """One answer a pair; ``known`` of them needed no backend."""

    known: int = 0


class SharedEntailment:
    """Puts a cache and a meeting point in front of a backend; implements ``Entailment`` and ``AsyncEntailment``.

    A request that finds nothing in flight goes to the backend at once. Those that come while a batch is
    running wait together and make up the next one, so that steps in flight share batches and none waits for
    company. Threads meet threads, and tasks meet the tasks of their event loop: neither ever waits for the
    other, which could be waiting for it. The answers are shared by all, and so they are by every
    ``SharedEntailment`` of the same backend, for as long as the backend lives.

    A backend that fails, fails the requests of that batch, and nothing is kept. A waiter that is cancelled
    takes nobody along. Texts are kept as digests only.

    Args:
        backend: the judge. Where its answers depend on the two texts alone, its attribute ``texts_only`` is
            True, and they hold for every argument; otherwise for this argument of this tool.
        cache: how many answers are kept, the least recently used go first; 0 keeps none.

    Raises:
        ConfigError: ``cache`` is negative.
    """

    def __init__(self, backend: Entailment | AsyncEntailment, *, cache: int = 10_000) -> None:
        if cache < 0:
            raise ConfigError(f"cache must be at least 0, but is {cache}")
        self.backend = backend
        self._texts_only = getattr(backend, "texts_only", False) is True
        self._place = _place(backend, cache)
        self._answers = self._place.answers

    @property
    def name(self) -> str:
        """The backend's name: it is the backend that speaks."""
        return self.backend.name

    @property
    def figures(self) -> Figures:
        """What was asked so far."""
        return self._answers.figures()

    def equivalent(self, pairs: Sequence[TextPair]) -> Answers:
        """Whether the texts of each pair mean the same.

        Raises:
            EntailmentError: the backend did not answer for each pair; or whatever else it raised.
        """
        backend: Any = self.backend
        request = self._request(pairs)

        def judge(batch: _Batch) -> None:
            self._judged(batch, backend.equivalent(batch.texts))

        return request.answers(self._place.threads.ask(request.missing, judge))

    async def aequivalent(self, pairs: Sequence[TextPair]) -> Answers:
        """As ``equivalent``."""
        backend: Any = self.backend
        request = self._request(pairs)

        async def judge(batch: _Batch) -> None:
            self._judged(batch, await backend.aequivalent(batch.texts))

        return request.answers(await self._place.tasks().ask(request.missing, judge))

    def _judged(self, batch: _Batch, answers: object) -> None:
        if not isinstance(answers, Sequence) or len(answers) != len(batch.pairs):
            raise EntailmentError(f"{self.name} did not give one answer for each of {len(batch.pairs)} pairs of texts")
        batch.answers = {key: answer is True for key, answer in zip(batch.pairs, answers, strict=True)}
        self._answers.keep(batch.answers)

    def _request(self, pairs: Sequence[TextPair]) -> _Request:
        keys = [_key(pair, texts_only=self._texts_only) for pair in pairs]
        known = self._answers.find(keys)
        missing = {key: pair for key, pair in zip(keys, pairs, strict=True) if key not in known}
        return _Request(keys=keys, known=known, missing=missing)


def shared(backend: Any) -> Any:
    """The backend with its cache and meeting point.

    One that is a ``SharedEntailment`` stays as it is, and so does ``ExactEntailment``, which costs nothing.
    """
    return backend if isinstance(backend, SharedEntailment | ExactEntailment) else SharedEntailment(backend)


class _Place:
    """Where those meet who ask one backend. It does not hold the backend, so that it can go with it."""

    def __init__(self, cache: int) -> None:
        self.answers = _Cache(cache)
        self.threads = _Threads()
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, _Tasks] = WeakKeyDictionary()

    def tasks(self) -> _Tasks:
        """Where the tasks of the running loop meet."""
        import asyncio

        with _opening:
            return self._loops.setdefault(asyncio.get_running_loop(), _Tasks())


_places: dict[tuple[int, int], tuple[ref[Any], _Place]] = {}
_opening = threading.RLock()  # a backend may be collected, and its place forgotten, at any moment


def _place(backend: object, cache: int) -> _Place:
    key = (id(backend), cache)
    with _opening:
        if key not in _places:
            place = _Place(cache)
            try:
                _places[key] = ref(backend, lambda _: _places.pop(key, None)), place
            except TypeError:  # an object that cannot be referred to weakly meets nobody
                return place
        return _places[key][1]


def _key(pair: TextPair, *, texts_only: bool) -> str:
    texts = sorted((pair.a, pair.b))
    return digest(texts) if texts_only else digest(texts, {**vars(pair), "a": "", "b": ""})


@dataclass(frozen=True, kw_only=True)
class _Request:
    """What somebody wants to know, what of it was known, and what is to be asked."""

    keys: list[str]
    known: dict[str, bool]
    missing: dict[str, TextPair]

    def answers(self, found: Mapping[str, bool]) -> Answers:
        answers = Answers(self.known[key] if key in self.known else found[key] for key in self.keys)
        answers.known = sum(key in self.known for key in self.keys)
        return answers


class _Cache:
    """The answers used last, and the figures; safe for threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._answers: OrderedDict[str, bool] = OrderedDict()
        self._lock = threading.Lock()
        self._hits = self._misses = self._pairs = self._batches = 0

    def find(self, keys: Iterable[str]) -> dict[str, bool]:
        found: dict[str, bool] = {}
        with self._lock:
            for key in keys:
                if key in self._answers:
                    self._answers.move_to_end(key)
                    found[key] = self._answers[key]
                    self._hits += 1
                else:
                    self._misses += 1
        return found

    def keep(self, answers: Mapping[str, bool]) -> None:
        with self._lock:
            self._batches += 1
            self._pairs += len(answers)
            self._answers.update(answers)
            while len(self._answers) > self._most:
                self._answers.popitem(last=False)

    def figures(self) -> Figures:
        with self._lock:
            return Figures(hits=self._hits, misses=self._misses, pairs=self._pairs, batches=self._batches)


class _Batch:
    """Pairs that go to the backend together."""

    def __init__(self) -> None:
        self.pairs: dict[str, TextPair] = {}
        self.answers: dict[str, bool] = {}
        self.error: Exception | None = None
        self.done = False
        self.context = contextvars.copy_context()

    @property
    def texts(self) -> tuple[TextPair, ...]:
        return tuple(self.pairs.values())

    def failed(self, error: BaseException) -> None:
        """An interrupt is for whoever was interrupted; the others learn that nobody was asked."""
        self.error = error if isinstance(error, Exception) else EntailmentError("the comparison was interrupted")


class _Queue:
    """The batch that is running and the one that waits for its end."""

    def __init__(self) -> None:
        self.running: _Batch | None = None
        self.waiting: _Batch | None = None

    def join(self, missing: Mapping[str, TextPair]) -> list[_Batch]:
        """The batches that will answer, in the order of their end: at most the running and the waiting one."""
        running = self.running.pairs if self.running is not None else {}
        joined = [self.running] if self.running is not None and not running.keys().isdisjoint(missing) else []
        if not missing.keys() <= running.keys():
            self.waiting = self.waiting or _Batch()
            self.waiting.pairs.update({key: pair for key, pair in missing.items() if key not in running})
            joined.append(self.waiting)
        return joined

    def start(self) -> _Batch | None:
        self.running, self.waiting = self.waiting, None
        return self.running


def _collected(batches: Iterable[_Batch], keys: Collection[str]) -> dict[str, bool]:
    found: dict[str, bool] = {}
    for batch in batches:
        if batch.error is not None:
            raise batch.error
        found.update((key, answer) for key, answer in batch.answers.items() if key in keys)
    return found


class _Threads:
    """Where threads meet: whoever comes first when nothing runs puts the whole batch to the backend."""

    def __init__(self) -> None:
        self._queue = _Queue()
        self._turn = threading.Condition()

    def ask(self, missing: Mapping[str, TextPair], judge: Callable[[_Batch], None]) -> dict[str, bool]:
        with self._turn:
            joined = self._queue.join(missing)
        for batch in joined:
            if self._leads(batch):
                self._lead(batch, judge)
        return _collected(joined, missing.keys())

    def _leads(self, batch: _Batch) -> bool:
        """Waits until the batch is done or can start; starts it in the second case."""
        with self._turn:
            self._turn.wait_for(lambda: batch.done or self._queue.running is None)
            if not batch.done:
                self._queue.start()
            return not batch.done

    def _lead(self, batch: _Batch, judge: Callable[[_Batch], None]) -> None:
        try:
            judge(batch)
        except BaseException as error:
            batch.failed(error)
            if not isinstance(error, Exception):
                raise
        finally:
            with self._turn:
                batch.done, self._queue.running = True, None
                self._turn.notify_all()


class _Tasks:
    """Where the tasks of one event loop meet: batches run in tasks of their own, which no waiter can cancel."""

    def __init__(self) -> None:
        self._queue = _Queue()
        self._task: asyncio.Task[None] | None = None
        self._ends: dict[_Batch, asyncio.Event] = {}

    async def ask(self, missing: Mapping[str, TextPair], judge: Callable[[_Batch], Awaitable[None]]) -> dict[str, bool]:
        import asyncio

        joined = self._queue.join(missing)
        ends = [self._ends.setdefault(batch, asyncio.Event()) for batch in joined]
        self._start(judge)
        for end in ends:
            await end.wait()
        return _collected(joined, missing.keys())

    def _start(self, judge: Callable[[_Batch], Awaitable[None]]) -> None:
        """The task starts on the loop's next turn; who asks until then is still in time for its batch."""
        import asyncio

        waiting = self._queue.waiting
        if waiting is not None and self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(judge), context=waiting.context)

    async def _run(self, judge: Callable[[_Batch], Awaitable[None]]) -> None:
        batch = self._queue.start()
        assert batch is not None
        try:
            await judge(batch)
        except BaseException as error:
            batch.failed(error)
            if not isinstance(error, Exception):
                raise  # the loop is closing: nobody is left to ask for
        finally:
            self._queue.running = self._task = None
            self._ends.pop(batch).set()
        self._start(judge)
