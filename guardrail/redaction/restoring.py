"""Edits of calls of which something is hidden: what a reviewer's marks mean, and the arguments that run."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from guardrail.codec import canonical, digest
from guardrail.errors import InvalidDecision, ReviewError
from guardrail.redaction.marks import EDIT, MARK, holds_mark
from guardrail.redaction.masking import Masker
from guardrail.redaction.places import pointer
from guardrail.types import Hiding

_NOTHING: Final = object()


@dataclass(frozen=True, kw_only=True)
class HiddenEdit:
    """An edit as it is written down. ``hidden`` are the places of marks in it; at those of ``kept`` the planned value
    stays, at the others stands what the reviewer typed. ``typed`` is a digest of that; empty where all are kept.
    """

    arguments: dict[str, Any]
    hidden: tuple[str, ...]
    kept: tuple[str, ...]
    typed: str


def raw_digest(thread_id: str, name: str, arguments: Mapping[str, Any]) -> str:
    """What tells whether a call is the one that was planned or approved: tool and arguments, in one thread.

    Raises:
        ReviewError: the arguments are no JSON.
    """
    try:
        return digest("raw", thread_id, name, dict(arguments))
    except (ValueError, TypeError, RecursionError) as error:
        raise ReviewError(f"the arguments of {name} are no JSON: do not run it") from error


def hide_edit(
    edited: Mapping[str, Any], shown: Mapping[str, Any], hidden: tuple[str, ...], hiding: Hiding, *, salt: str
) -> HiddenEdit:
    """An edit of arguments that a reviewer was ``shown`` with marks at the ``hidden`` places, as it is written down.

    Raises:
        InvalidDecision: a mark stands where it was not shown, or was changed.
    """
    kept = tuple(place for place in hidden if _is(edited, shown, place))
    places = frozenset(kept)
    _check_marks(edited, "", places)
    bare = {name: _without(value, pointer("", name), places) for name, value in edited.items() if not holds_mark(name)}
    taken = [int(number[1:]) for number, _ in MARK.findall(canonical(dict(shown))) if number.startswith(EDIT)]
    masker = Masker(first=EDIT, secrets=hiding.secrets, begin=max(taken, default=0))
    masker.look(bare, hiding)
    masked, typed = masker.arguments(bare, hiding)
    arguments = dict(masked)
    for place in kept:
        _put(arguments, place, _get(shown, place))
    return HiddenEdit(
        arguments=arguments,
        hidden=(*kept, *typed),
        kept=kept,
        typed=digest("typed", salt, dict(edited)) if typed else "",
    )


def restored(
    edited: Mapping[str, Any], shown: Mapping[str, Any], raw: Mapping[str, Any], kept: tuple[str, ...]
) -> dict[str, Any]:
    """The arguments that run: an edit as it was typed, with the planned values where it keeps them.

    Raises:
        InvalidDecision: a planned value cannot be told.
    """
    arguments = copy.deepcopy(dict(edited))
    names = _raw_names(shown, raw)
    for place in kept:
        key, _, rest = place[1:].partition("/")
        name = _key(key)
        planned = _get({name: raw.get(names.get(name, name), _NOTHING)}, f"/{key}" + (f"/{rest}" if rest else ""))
        if planned is _NOTHING:
            raise InvalidDecision(f"the planned value at {place} is not there any more: have the agent plan it again")
        _put(arguments, place, planned)
    return {names.get(name, name): value for name, value in arguments.items()}


def filled(shown: Mapping[str, Any], raw: Mapping[str, Any], hidden: Sequence[str]) -> dict[str, Any]:
    """Arguments with marks at the hidden places, as they would be if the values of another call stood there."""
    arguments: dict[str, Any] = copy.deepcopy(dict(shown))
    for place in hidden:
        value = _get(raw, place)
        if value is not _NOTHING and _get(arguments, place) is not _NOTHING:
            _put(arguments, place, value)
    return arguments


def _raw_names(shown: Mapping[str, Any], raw: Mapping[str, Any]) -> dict[str, str]:
    """Names of arguments that are marks themselves, with the names that they stand for.

    Raises:
        InvalidDecision: there are several, so it cannot be told.
    """
    marked = [name for name in shown if name not in raw and holds_mark(name)]
    left = [name for name in raw if name not in shown]
    if not marked:
        return {}
    if len(marked) != 1 or len(left) != 1:
        raise InvalidDecision("several names of arguments are hidden, so they cannot be edited: approve or reject")
    return {marked[0]: left[0]}


def _check_marks(value: Any, place: str, kept: frozenset[str]) -> None:
    if place in kept:
        return
    if isinstance(value, Mapping):
        for key, each in value.items():
            under = pointer(place, key)
            if under not in kept and holds_mark(str(key)):
                raise _misplaced(under)
            _check_marks(each, under, kept)
    elif isinstance(value, list | tuple):
        for index, each in enumerate(value):
            _check_marks(each, pointer(place, index), kept)
    elif holds_mark(value):
        raise _misplaced(place)


def _misplaced(place: str) -> InvalidDecision:
    return InvalidDecision(
        f"a mark of something hidden stands at {place if not holds_mark(place) else 'a name'}, where it was changed or "
        "does not belong: leave what is shown there as it is to keep the planned value, or write a value of your own"
    )


def _is(edited: Mapping[str, Any], shown: Mapping[str, Any], place: str) -> bool:
    one, other = _get(edited, place), _get(shown, place)
    return (
        one is not _NOTHING
        and other is not _NOTHING
        and type(one) is type(other)
        and canonical([one]) == canonical([other])
    )


def _without(value: Any, place: str, kept: frozenset[str]) -> Any:
    """A copy with nothing at the places that are kept."""
    if place in kept:
        return None
    if isinstance(value, Mapping):
        return {key: _without(each, pointer(place, key), kept) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without(each, pointer(place, index), kept) for index, each in enumerate(value)]
    return value


def _get(value: Any, place: str) -> Any:
    for part in place[1:].split("/"):
        if isinstance(value, Mapping) and _key(part) in value:
            value = value[_key(part)]
        elif isinstance(value, list | tuple) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return _NOTHING
    return value


def _put(value: Any, place: str, new: Any) -> None:
    *parents, last = place[1:].split("/")
    for part in parents:
        value = value[int(part)] if isinstance(value, list) else value[_key(part)]
    if isinstance(value, list):
        value[int(last)] = new
    else:
        value[_key(last)] = new


def _key(part: str) -> str:
    return part.replace("~1", "/").replace("~0", "~")
