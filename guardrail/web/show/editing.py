"""The form in which a person edits the arguments of a call, and the arguments that it stands for when it comes back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

import markupsafe

from guardrail.markup import typed
from guardrail.redaction import holds_mark
from guardrail.review import check_arguments
from guardrail.review.votes import same_json
from guardrail.types import ToolSpec
from guardrail.visible import warnings
from guardrail.web.show.building import FIELDS, Builder
from guardrail.web.show.differing import Differences, show_differences
from guardrail.web.show.fields import ABSENT, Field, How, again
from guardrail.web.show.folds import Path, path_text
from guardrail.web.show.jsontext import pretty, read_json, typeable
from guardrail.web.show.sent import Sent
from guardrail.web.show.shapes import Kind, Schemas

LONGEST: Final = 200_000
"""Characters of JSON text that a form holds."""
SEND: Final = "edit"
"""The button that sends an edit, and not only looks at it."""
_QUIET: Final = ("add:", "remove:", "as:")
_TOO_LONG: Final = f"this is too long to be edited as JSON in a page: at most {LONGEST:,} characters"
_NOT_WHOLE: Final = "the form did not arrive whole, or belongs to another call: load the page again"


@dataclass(frozen=True, kw_only=True)
class EditForm:
    """A form. ``as_json``: it is one JSON text; ``both``: it can be had in fields as well. ``base`` is the JSON of what
    its fields started from, where these are not the arguments of the page.
    """

    root: Field
    as_json: bool
    both: bool
    of: str
    """Names the schema and the arguments that it was made for: it means nothing for others."""
    base: str = ""
    errors: tuple[str, ...] = ()
    """Everything that is wrong, with its place."""

    @property
    def typed_base(self) -> markupsafe.Markup:
        """``base`` for a hidden field."""
        return typed(self.base)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What came back. ``arguments`` is None where something is wrong. ``send``: they are to be decided with, rather
    than looked at: ``differences`` are those to the planned call, ``warnings`` what a reader should beware of.
    """

    form: EditForm
    arguments: dict[str, Any] | None
    errors: tuple[str, ...] = ()
    send: bool = False
    differences: Differences | None = None
    warnings: tuple[str, ...] = ()


def edit_form(tool: ToolSpec | None, arguments: dict[str, Any]) -> EditForm:
    """The form for a tool's arguments, filled in with these."""
    return _form(tool, arguments, None)


def read_form(
    tool: ToolSpec | None,
    arguments: dict[str, Any],
    pairs: Iterable[tuple[str, object]],
    *,
    planned: dict[str, Any] | None = None,
) -> Reading:
    """What a browser sent back of the form for these arguments. ``planned`` are those to compare with, if others.

    Never raises: whatever was sent, it is either arguments that fit the tool, or a form that says what is wrong with
    everything that was typed still in it.
    """
    try:
        return _read(tool, arguments, Sent(pairs), planned if planned is not None else arguments)
    except RecursionError:
        form = replace(edit_form(tool, arguments), errors=("this is nested too deep to be edited in a page",))
        return Reading(form=form, arguments=None, errors=form.errors)


def _read(tool: ToolSpec | None, arguments: dict[str, Any], sent: Sent, planned: dict[str, Any]) -> Reading:
    base, problem = _base(sent, arguments)
    mode = sent.text("f:mode")
    if not problem and sent.text("f:of") != _name(tool, base):
        problem = _NOT_WHOLE
    if problem or mode not in ("json", "fields"):
        return _refused(edit_form(tool, arguments), (problem or _NOT_WHOLE, *dict.fromkeys(sent.errors)))
    form = _form(tool, base, sent, as_json=mode == "json")
    value = form.root.value
    if sent.errors or sent.unread():
        return _refused(form, (*dict.fromkeys(sent.errors), *([_NOT_WHOLE] if sent.unread() else [])))
    if value is not ABSENT and sent.do in ("json", "fields"):
        return _switched(tool, arguments, value, sent.do)
    if sent.do.startswith(_QUIET):
        return Reading(form=replace(form, root=_without_errors(form.root), errors=()), arguments=None)
    if value is ABSENT or form.errors:
        return Reading(form=form, arguments=None, errors=form.errors)
    wrong = _misfits(tool, value)
    if wrong:
        form = _with_errors(form, wrong)
    return Reading(
        form=form,
        arguments=None if wrong else value,
        errors=form.errors,
        send=sent.do == SEND and not wrong,
        differences=show_differences(planned, value),
        warnings=tuple(warnings(value)),
    )


def _form(tool: ToolSpec | None, base: dict[str, Any], sent: Sent | None, *, as_json: bool = False) -> EditForm:
    schemas = Schemas(tool.parameters if tool else True)
    shape = schemas.shape(tool.parameters if tool else True)
    both = shape.kind is Kind.OBJECT and len({*dict(shape.fields), *base}) <= FIELDS
    text = ""
    if as_json or not both:
        root = _json_root(base, sent)
    else:
        root = Builder(schemas, sent.do if sent else "").root(tool.parameters if tool else True, base, sent)
        text = "" if sent is None else sent.text("f:base") or ""
    errors = tuple(_errors(root)) if sent else ()
    return EditForm(
        root=root,
        as_json=as_json or not both,
        both=both,
        of=_name(tool, base),
        base=again(text, as_json=True),
        errors=errors,
    )


def _name(tool: ToolSpec | None, base: dict[str, Any]) -> str:
    said = "\0".join(map(pretty, (tool.parameters if tool else None, base)))
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _json_root(base: dict[str, Any], sent: Sent | None) -> Field:
    """All arguments as one text."""
    first = typeable(base)
    note = ""
    if len(first) > LONGEST:
        first, note = (
            "",
            f"kept as planned, {len(first):,} characters of JSON: leave this empty, or write all arguments anew",
        )
    text = first if sent is None else sent.text("f")
    value: Any = ABSENT
    error = ""
    if text is None:
        text, error = first, "this was not sent: load the page again"
    elif len(text) > LONGEST:
        text, error = "", _TOO_LONG
    elif text == first:
        value = base
    else:
        try:
            value = read_json(text)
        except ValueError as problem:
            error = str(problem)
        if value is not ABSENT and not isinstance(value, dict):
            value, error = ABSENT, 'all arguments are one JSON object, such as {"amount": 20}'
    return Field(
        name="f",
        label=(),
        path=(),
        how=How.LINES,
        words="JSON",
        note=note,
        required=True,
        text=again(text, as_json=True),
        as_json=True,
        error=error,
        value=value,
    )


def _base(sent: Sent, arguments: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """What the fields of the form that was sent started from."""
    text = sent.text("f:base")
    if not text:
        return arguments, ""
    if len(text) > LONGEST:
        return arguments, _TOO_LONG
    try:
        base = read_json(text)
    except ValueError:
        return arguments, _NOT_WHOLE
    return (base, "") if isinstance(base, dict) else (arguments, _NOT_WHOLE)


def _switched(tool: ToolSpec | None, arguments: dict[str, Any], value: dict[str, Any], to: str) -> Reading:
    """The same arguments in the other kind of form."""
    text = typeable(value)
    if len(text) > LONGEST:
        return _refused(edit_form(tool, arguments), (_TOO_LONG,))
    if to == "json":
        form = _form(tool, value, None, as_json=True)
        return Reading(form=replace(form, of=_name(tool, arguments)), arguments=None)
    if same_json(value, arguments):
        return Reading(form=_form(tool, arguments, None), arguments=None)
    return Reading(form=replace(_form(tool, value, None), base=text), arguments=None)


def _refused(form: EditForm, problems: tuple[str, ...]) -> Reading:
    errors = (*problems, *(error for error in form.errors if error not in problems))
    return Reading(form=replace(form, errors=errors), arguments=None, errors=errors)


def _misfits(tool: ToolSpec | None, value: dict[str, Any]) -> list[tuple[Path, str]]:
    """What the tool's schema says against the arguments, each with its place. What is hidden cannot be checked here:
    the queue does, when it puts the real value back.
    """
    places = {path_text(path): (path, inner) for path, inner in _parts(value)} if isinstance(value, dict) else {}
    found = []
    for phrase in check_arguments(tool, value):
        names = [phrase[:end] for end in _ends(phrase) if phrase[:end] in places]
        place = max(names, key=len, default="")
        path, inner = places.get(place, ((), None))
        if not (isinstance(inner, str) and holds_mark(inner)):
            found.append((path, phrase[len(place) + 2 :] if place else phrase))
    return found


def _ends(phrase: str) -> list[int]:
    return [place for place, character in enumerate(phrase) if character == ":"]


def _parts(value: dict[str, Any]) -> Iterable[tuple[Path, Any]]:
    """Every part of the arguments with its path, without recursion."""
    waiting: list[tuple[Path, Any]] = [((), value)]
    while waiting:
        path, one = waiting.pop()
        if path:
            yield path, one
        if len(path) < 32:  # deeper ones have no field of their own
            inner = one.items() if isinstance(one, dict) else enumerate(one) if isinstance(one, list) else ()
            waiting += [((*path, key), part) for key, part in inner]


def _errors(found: Field) -> Iterable[str]:
    if found.error:
        place = path_text(found.path)
        yield f"{place}: {found.error}" if place else found.error
    for part in found.parts():
        yield from _errors(part)


def _with_errors(form: EditForm, wrong: list[tuple[Path, str]]) -> EditForm:
    """The form with errors at the fields that they are about; at the nearest one around it, if it has none."""
    said = [f"{path_text(path)}: {text}" if path else text for path, text in wrong]
    return replace(form, root=_marked(form.root, wrong), errors=tuple(said))


def _marked(found: Field, wrong: list[tuple[Path, str]]) -> Field:
    inner: dict[str, list[tuple[Path, str]]] = {}
    own = []
    for path, text in wrong:
        part = next((one for one in found.fields if path[: len(one.path)] == one.path), None)
        if part is None:
            own.append(text)
        else:
            inner.setdefault(part.name, []).append((path, text))
    fields = tuple(_marked(one, inner[one.name]) if one.name in inner else one for one in found.fields)
    return replace(found, fields=fields, error="; ".join(filter(None, [found.error, *own])))


def _without_errors(found: Field) -> Field:
    more = None if found.more is None else _without_errors(found.more)
    error = found.error if found.how is How.ROWS else ""  # that no more rows can be added
    return replace(found, fields=tuple(map(_without_errors, found.fields)), more=more, error=error)
