"""The process that serves."""

from __future__ import annotations

import gc

import pytest

from guardrail.web.server import collecting_seldom


def test_the_collector_is_as_it_was_once_the_server_has_ended() -> None:
    before = gc.get_threshold()
    with pytest.raises(KeyboardInterrupt), collecting_seldom():
        assert gc.isenabled()
        assert gc.get_threshold()[0] > before[0]
        assert gc.get_freeze_count()
        raise KeyboardInterrupt
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0


def test_cycles_are_still_collected_while_it_serves() -> None:
    class Node:
        other: Node

    alive = []
    with collecting_seldom():
        for _ in range(200_000):
            one = Node()
            one.other = one
            alive.append(one)
            if len(alive) == 1_000:
                alive.clear()
        del one
        left = sum(isinstance(each, Node) for each in gc.get_objects())
    assert left < 150_000
