"""What has to be done while people and agents do the rest: deadlines, seals, watching promises, telling people.

``Upkeep`` runs in every server and worker, and as a command of its own; however many there are, each thing is done in
its time, and what one process leaves undone another takes up.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from guardrail.clock import utc_now
from guardrail.store import Store
from guardrail.upkeep.loop import Done, Loop, TaskState, read_state
from guardrail.upkeep.tasks import (
    FORGET,
    NOTIFY,
    SEAL,
    STUCK,
    SWEEP,
    WATCH,
    Task,
    forgetting,
    notifying,
    sealing,
    sweeping,
    watching,
)

if TYPE_CHECKING:
    from guardrail.notify import Notifier
    from guardrail.types import CalibratedPolicy

__all__ = ["Done", "Task", "TaskState", "Upkeep", "upkeep_status"]

_TASKS = (SWEEP, SEAL, WATCH, STUCK, NOTIFY, FORGET)


class Upkeep(Loop):
    """Sweeps deadlines, seals audit logs, watches promises and tells people, of all tenants of a store.

    ``start`` and ``stop`` it (or ``with upkeep.running()``), ``run`` it, or do all ``once``. Nothing that a task does
    raises: it is logged, kept for ``guardrail notify status``, and done again in its time.

    Args:
        store: the store; it stays open until after ``stop``.
        notifier: tells people; None: nobody is told.
        calibration: what is promised; None: nothing is.
        sweep_every, seal_every, watch_every, notify_every: seconds between two times. ``sweep_every`` None: the
            deadlines are somebody else's.
        clock: gives the present moment.
    """

    def __init__(
        self,
        store: Store,
        *,
        notifier: Notifier | None = None,
        calibration: CalibratedPolicy | None = None,
        sweep_every: float | None = 5.0,
        seal_every: float = 600.0,
        watch_every: float = 60.0,
        notify_every: float = 2.0,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        tasks = [] if sweep_every is None else [sweeping(store, clock, sweep_every)]
        if calibration is not None:
            tasks.append(watching(store, calibration, watch_every))
        if notifier is not None:
            tasks += notifying(notifier, notify_every)
        super().__init__(store, [*tasks, sealing(store, clock, seal_every), forgetting(store, clock, 3600.0)], clock)


def upkeep_status(store: Store) -> list[TaskState]:
    """How each task went the last time, in any process; those that never ran are left out."""
    found = (read_state(store, name)[1] for name in _TASKS)
    return [state for state in found if state.last]
