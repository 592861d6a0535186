"""Verdicts as feedback on the agent's run in LangSmith."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Any, Final, Self
from uuid import UUID, uuid5

from guardrail.engine import Permit, Refusal
from guardrail.telemetry import told
from guardrail.types import PlanningStep, Review, StepVerdict

_LOG: Final = logging.getLogger("guardrail.telemetry")
_POLL: Final = 0.01


def current_run(step: PlanningStep) -> UUID | None:
    """The run that planned the step, where LangSmith traces it; None where nothing is traced.

    It is that of the model's request, where an adapter knows it (those of LangGraph do), else the one under way.
    """
    try:
        from langsmith import get_current_run_tree
        from langsmith.utils import tracing_is_enabled
    except ImportError:
        return None
    under_way = get_current_run_tree()
    if under_way is None and not tracing_is_enabled():
        return None
    planned = getattr(step.request, "run_id", None)
    if isinstance(planned, UUID):
        return planned
    return None if under_way is None else under_way.id


class LangSmithObserver:
    """Feedback on the run in which a step was planned: least agreement and greatest entropy of its calls, its verdict.

    A thread of its own sends it: the agent never waits, and what does not fit into the queue is dropped and logged.
    Steps whose run is not known give none. Close it, or leave its context, to send what still waits.

    Args:
        client: a ``langsmith.Client``.
        run_id: the run of a step, asked in the agent's thread; by default the one that LangSmith traces there.
        most: how many pieces of feedback may wait.
    """

    def __init__(
        self, client: Any, *, run_id: Callable[[PlanningStep], UUID | str | None] = current_run, most: int = 1000
    ) -> None:
        self._client = client
        self._run_id = run_id
        self._waiting: queue.Queue[dict[str, Any]] = queue.Queue(most)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def assessed(self, step: PlanningStep, verdict: StepVerdict, record_id: str) -> None:
        """Queue the feedback."""
        found = self._run_id(step)
        if found is None:
            return
        run = found if isinstance(found, UUID) else UUID(found)
        scores = {
            "guardrail.agreement": told.worst(map(told.agreement, verdict.verdicts), least=True),
            "guardrail.semantic_entropy": told.worst(map(told.entropy, verdict.verdicts)),
        }
        for key, score in scores.items():
            if score is not None:
                self._put(run, record_id, key, score=score)
        self._put(run, record_id, "guardrail.verdict", value=verdict.route.value)

    def permitted(self, record_id: str, permit: Permit) -> None:
        """Nothing: the run has its verdict."""

    def refused(self, record_id: str, refusal: Refusal) -> None:
        """Nothing: the run has its verdict."""

    def reviewed(self, review: Review) -> None:
        """Nothing: the run has its verdict."""

    def close(self, seconds: float = 10.0) -> bool:
        """Wait until all feedback is sent, at most so long. False: some still waits."""
        until = time.monotonic() + seconds
        while self._waiting.unfinished_tasks:
            if time.monotonic() > until:
                return False
            time.sleep(_POLL)
        return True

    def _put(self, run: UUID, record_id: str, key: str, **said: float | str) -> None:
        # sent twice, it is the same feedback
        identity = uuid5(run, f"{record_id} {key}")
        try:
            self._waiting.put_nowait({"run_id": run, "key": key, "feedback_id": identity, **said})
        except queue.Full:
            _LOG.warning("feedback for LangSmith was dropped: %d pieces wait already", self._waiting.maxsize)
            return
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._send, name="guardrail-langsmith", daemon=True)
                self._thread.start()

    def _send(self) -> None:
        while True:
            said = self._waiting.get()
            try:
                self._client.create_feedback(**said)
            except Exception as error:  # noqa: BLE001 - telemetry that fails is logged, and the next one is tried
                _LOG.error("feedback for LangSmith was not sent: %s", type(error).__name__)
            finally:
                self._waiting.task_done()
