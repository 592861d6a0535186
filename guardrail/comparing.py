"""Comparators that are not of this package: of other packages, and of the caller's own.

Other packages add theirs through the entry-point group ``guardrail.comparators``: an entry has the comparator's name
and names its class, or an instance. The caller gives some to a policy: ``Policy.load(path, comparators={...})``. Their
names have a dot (``acme.part_number``), so that none takes the place of a comparator of this package, now or later.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib.metadata import EntryPoint
from typing import Any, Final, Protocol

from guardrail.entries import owner, registered, single
from guardrail.errors import ConfigError

GROUP: Final = "guardrail.comparators"
NAME: Final = r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+"
"""How its name is written."""
_LONGEST: Final = 500
"""What is longer is asked about anew every time."""
_log = logging.getLogger(__name__)


class Comparator(Protocol):
    """Says whether two values of one argument are the same thing.

    ``version`` goes into the fingerprint of what was scored: change it with every change of an answer. ``settle`` gets
    the two values as texts, and the argument's name and description (``guardrail.clustering.About``); it answers None
    where it does not understand both, and then they are different, or a judge of language is asked where ``judged`` is
    set to True. It does no I/O and keeps nothing: one instance serves all threads.
    """

    version: str

    def settle(self, a: str, b: str, about: Any, /) -> bool | None: ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Own:
    """A comparator under the name by which rules call it."""

    name: str
    comparator: Comparator
    judged: bool = False
    version: str = ""
    told: set[str] = field(default_factory=set, repr=False)

    def __str__(self) -> str:
        return self.name

    def settle(self, a: str, b: str, about: Any) -> bool | None:
        """What it says of both orders; False where it fails, or the two answers differ.

        Calls are grouped whatever their order, so that an answer that depends on it is none.
        """
        if max(len(a), len(b)) > _LONGEST:
            return self.asked(a, b, about)
        return _settled(self, a, b, about) if a <= b else _settled(self, b, a, about)

    def asked(self, a: str, b: str, about: Any) -> bool | None:
        """The same, whether or not it was asked before."""
        try:
            one, other = self.comparator.settle(a, b, about), self.comparator.settle(b, a, about)
        except Exception as error:  # noqa: BLE001 - somebody else's code may raise anything
            return self._fails(f"raised {type(error).__name__}")
        if not all(answer is None or isinstance(answer, bool) for answer in (one, other)):
            return self._fails("answers something else than True, False or None")
        if one is not other:
            return self._fails("answers otherwise when its two values are exchanged")
        return one

    def _fails(self, how: str) -> bool:
        """What failed is no evidence that two values are the same."""
        if how not in self.told:
            self.told.add(how)
            _log.warning("the comparator %r %s; such values count as different", self.name, how)
        return False


Named = str | Own
"""How a rule says how an argument is compared: by the name of a comparator of this package, or a comparator."""


def own(name: str, comparator: object) -> Own:
    """A comparator of the caller's under a name, in the form in which it is asked.

    Raises:
        ConfigError: it is none, or the name cannot stand in a policy.
    """
    found = comparator() if isinstance(comparator, type) else comparator
    if not re.fullmatch(NAME, name, re.ASCII):
        raise ConfigError(f"the comparator {name!r} needs a name with a dot, such as acme.part_number")
    version = getattr(found, "version", None)
    if not callable(getattr(found, "settle", None)) or not isinstance(version, str) or not version:
        raise ConfigError(
            f"the comparator {name!r} cannot be used: it needs a 'version', a text, and a method settle(a, b, about)"
        )
    asked: Any = found
    return Own(name=name, comparator=asked, judged=getattr(found, "judged", False) is True, version=version)


def names() -> tuple[str, ...]:
    """The names under which other packages have registered comparators."""
    return tuple(sorted(_registered()))


@cache
def plugin(name: str) -> Own:
    """The comparator that another package has registered under that name, the same for everybody.

    Raises:
        ConfigError: there is none, it cannot be loaded or used, or several packages have registered one.
    """
    entry = single(_registered(), name, "comparator")
    try:
        return own(name, entry.load())
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(
            f"the comparator {name!r} cannot be loaded: install {owner(entry)} again ({error!r})"
        ) from error


def versions(used: Mapping[str, Own]) -> list[list[str]]:
    """Names with versions, in order, for fingerprints."""
    return [[name, one.version] for name, one in sorted(used.items())]


@lru_cache(maxsize=16_384)
def _settled(one: Own, a: str, b: str, about: Any) -> bool | None:
    return one.asked(a, b, about)


@cache
def _registered() -> dict[str, tuple[EntryPoint, ...]]:
    return registered(GROUP)
