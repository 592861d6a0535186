"""The table of what doors cannot do has no line too many, and no door is missing."""

from __future__ import annotations

import pytest

from tests.adapters.conftest import COLLECTED
from tests.adapters.doors import DOORS, MISSING
from tests.adapters.limits import LIMITS


def test_every_line_excuses_a_test(request: pytest.FixtureRequest) -> None:
    """That an excused test still fails is what the test itself tells."""
    collected, used = request.config.stash[COLLECTED]
    stale = [limit for limit in LIMITS if limit.test in collected and limit not in used]
    assert stale == []


def test_every_line_gives_a_reason() -> None:
    assert all(len(limit.reason) > 20 for limit in LIMITS)


def test_no_two_doors_have_one_name() -> None:
    assert len({door.name for door in DOORS}) == len(DOORS)
    assert all(door.ways for door in DOORS)


def test_every_adapter_has_its_doors() -> None:
    """Where a framework is not installed its doors are left out: here all of them are."""
    assert MISSING == {}
