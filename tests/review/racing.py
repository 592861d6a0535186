"""One of the processes in which people decide on the same reviews at the same moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from guardrail import open_store
from guardrail.errors import ReviewConflict
from guardrail.review import Queue
from guardrail.types import Principal


def race(url: str, ids: list[str], people: list[str], barrier: Any, results: Any) -> None:
    """Put into ``results``, for each person, what came of each review: won, conflict, or what went wrong."""
    store = open_store(url)
    queue = Queue(store)

    def decide(name: str) -> list[str]:
        found = []
        who = Principal(name=name)
        for identity in ids:
            barrier.wait(300)
            try:
                (queue.approve if len(name) % 2 else queue.reject)(identity, by=who)
                found.append("won")
            except ReviewConflict as conflict:
                found.append("conflict" if " by person " in str(conflict) else str(conflict))
            except Exception as error:  # told to the test
                found.append(repr(error))
        return found

    with ThreadPoolExecutor(len(people)) as pool:
        results.put(list(pool.map(decide, people)))
    store.close()
