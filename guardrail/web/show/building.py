"""The edit form, built from a tool's schema, the arguments that it starts from, and what was sent.

The same walk draws a form and reads one back. Where a control was not touched, its value is the very one that the form
started from: no text is parsed, so nothing can change by being shown. What a control is depends on the schema and
these arguments only, so that a form means the same when it comes back.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Final

from guardrail.review.votes import same_json
from guardrail.visible import plain
from guardrail.web.show.fields import ABSENT, Field, How, Option
from guardrail.web.show.jsontext import pretty, read_json
from guardrail.web.show.leaves import Asked, leaf
from guardrail.web.show.sent import Sent
from guardrail.web.show.shapes import Kind, Schemas, Shape, of_kind
from guardrail.web.show.texts import line

FIELDS: Final = 300
"""Fields that a form has before parts of it become JSON."""
ROWS: Final = 200
DEEP: Final = 8
_ROWS: Final = re.compile(r"(?:[0-9]{1,6}(?:,[0-9]{1,6}){0,199})?")
_LABEL: Final = 120


class Builder:
    """Builds the fields of one form. ``do`` is the button that was pressed, such as ``add:f.2``."""

    def __init__(self, schemas: Schemas, do: str = "") -> None:
        self._schemas, self._do = schemas, do

    def root(self, schema: object, arguments: dict[str, Any], sent: Sent | None) -> Field:
        """The form of an object."""
        asked = Asked(name="f", label=(), path=(), base=arguments, forced=True, required=True)
        return self._object(self._schemas.shape(schema), asked, sent, budget=FIELDS, depth=0)

    def _field(self, schema: object, asked: Asked, sent: Sent | None, *, budget: int, depth: int) -> Field:
        shape = self._schemas.shape(schema)
        kind = self._kind(schema, shape, asked, budget=budget, depth=depth)
        if kind is Kind.UNION:
            return self._union(shape, asked, sent, budget=budget, depth=depth)
        if kind in (Kind.CHOICE, Kind.BOOLEAN):
            return _choice(shape, asked, sent)
        if kind not in (Kind.OBJECT, Kind.LIST):
            return leaf(kind, shape, asked, sent)
        group, sent = self._present(shape, kind, asked, sent)
        if group is not None:
            return group
        build = self._object if kind is Kind.OBJECT else self._list
        return build(shape, asked, sent, budget=budget, depth=depth)

    def _kind(self, schema: object, shape: Shape, asked: Asked, *, budget: int, depth: int) -> Kind:
        """The kind of control: JSON where the schema or the value is none that a better one could keep."""
        if shape.kind in (Kind.CHOICE, Kind.JSON):
            return shape.kind
        if asked.base is not ABSENT and not of_kind(shape.kind, asked.base):
            return Kind.JSON
        if shape.kind not in (Kind.OBJECT, Kind.LIST, Kind.UNION):
            return shape.kind
        if depth > DEEP:
            return Kind.JSON
        base = {} if asked.base is ABSENT and shape.kind is Kind.OBJECT else asked.base
        fresh = asked.base is ABSENT
        own = len(base) if isinstance(base, list) else len(_names(shape, base)) if isinstance(base, dict) else 1
        allowed = min(budget, FIELDS // 3) if fresh else budget
        fits = own <= budget if not fresh else self._size(schema, asked.base, allowed, depth, forced=True) <= allowed
        return shape.kind if fits else Kind.JSON

    def _size(self, schema: object, base: object, most: int, depth: int, *, forced: bool) -> int:
        """How many fields a part has; counting ends when there are more than wanted."""
        shape = self._schemas.shape(schema)
        if depth > DEEP or (base is ABSENT and not forced) or not (base is ABSENT or of_kind(shape.kind, base)):
            return 1
        parts: list[tuple[object, object, bool]] = []
        if shape.kind is Kind.UNION:
            code = self._initial(shape, base)
            parts = [(shape.variants[int(code)], base, True)] if code not in ("", "json") else []
        elif shape.kind is Kind.OBJECT:
            known = {} if base is ABSENT else base
            assert isinstance(known, dict)
            for name, part, required in _names(shape, known):
                parts.append((part, known.get(name, ABSENT), base is ABSENT and required))
        elif shape.kind is Kind.LIST and isinstance(base, list):
            parts = [(shape.items, item, True) for item in base]
        total = 1
        for part, inner, inner_forced in parts:
            total += self._size(part, inner, most - total, depth + 1, forced=inner_forced)
            if total > most:
                break
        return total

    def _shared(self, shape: Shape, base: object, budget: int, depth: int) -> int:
        """The budget of each part: all of it where everything fits, or an equal share."""
        parts = len(base) if isinstance(base, list) else len(_names(shape, base if isinstance(base, dict) else {}))
        size = self._size(shape.schema, base, budget, depth, forced=True)
        return budget if size <= budget or not parts else budget // parts

    def _present(self, shape: Shape, kind: Kind, asked: Asked, sent: Sent | None) -> tuple[Field | None, Sent | None]:
        """A group or list that may be left out: the field that offers to put it in, or None where it is in; and what
        was sent for its parts.
        """
        if asked.forced:
            return None, sent
        here = asked.base is not ABSENT
        was = here if sent is None else sent.text(f"{asked.name}:in") == "1"
        now = self._do == f"add:{asked.name}" or (was and self._do != f"remove:{asked.name}")
        if sent is not None and was and not now:
            sent.skip(f"{asked.name}.")
            sent.skip(f"{asked.name}:")
        if now:
            return None, sent if was else None
        how = How.GROUP if kind is Kind.OBJECT else How.ROWS
        return _made(shape, asked, how, optional=True, included=False), None

    def _object(self, shape: Shape, asked: Asked, sent: Sent | None, *, budget: int, depth: int) -> Field:
        base: dict[str, Any] = {} if asked.base is ABSENT else asked.base
        names = _names(shape, base)
        share = self._shared(shape, asked.base, budget, depth)
        fields = []
        for number, (name, schema, required) in enumerate(names):
            inner = Asked(
                name=f"{asked.name}.{number}",
                label=line(name),
                path=(*asked.path, name),
                base=base.get(name, ABSENT),
                forced=required and (asked.base is ABSENT or name in base),
                required=required,
            )
            fields.append(self._field(schema, inner, sent, budget=share, depth=depth + 1))
        more = _more(asked, sent, {name for name, _, _ in names}) if shape.extra not in (None, False) else None
        found = _made(
            shape,
            asked,
            How.GROUP,
            fields=tuple(fields),
            more=more,
            optional=not asked.forced,
            removable=not asked.forced,
        )
        if found.wrong():
            return found
        values = {name: one.value for (name, _, _), one in zip(names, fields, strict=True) if one.value is not ABSENT}
        ordered = {name: values[name] for name in [*base, *values] if name in values}
        return replace(found, value=ordered | (more.value if more is not None else {}))

    def _list(self, shape: Shape, asked: Asked, sent: Sent | None, *, budget: int, depth: int) -> Field:
        base: list[Any] = [] if asked.base is ABSENT else asked.base
        share = self._shared(shape, asked.base, budget, depth)
        error, numbers = "", list(range(len(base)))
        if sent is not None:
            text = sent.text(f"{asked.name}:rows")
            if text is None or _ROWS.fullmatch(text) is None:
                error = "its rows did not arrive whole: load the page again"
            else:
                numbers = [int(number) for number in text.split(",") if number]
        if len(set(numbers)) < len(numbers):
            error, numbers = "its rows did not arrive whole: load the page again", list(range(len(base)))
        added = -1
        if self._do == f"add:{asked.name}":
            if len(numbers) >= max(ROWS, len(base)):
                error = f"no more than {ROWS} rows can be added here: edit it as JSON"
            else:
                added = max([*numbers, len(base) - 1]) + 1
                numbers.append(added)
        rows: list[Field] = []
        for number in numbers:
            name = f"{asked.name}.{number}"
            if sent is not None and self._do == f"remove:{name}":
                sent.text(name)
                sent.skip(f"{name}.")
                sent.skip(f"{name}:")
                continue
            inner = Asked(
                name=name,
                label=line(str(len(rows))),
                path=(*asked.path, len(rows)),
                base=base[number] if number < len(base) else ABSENT,
                forced=True,
                required=False,
            )
            row = self._field(shape.items, inner, None if number == added else sent, budget=share, depth=depth + 1)
            rows.append(replace(row, removable=True))
        found = _made(
            shape,
            asked,
            How.ROWS,
            fields=tuple(rows),
            rows=",".join(row.name.rpartition(".")[2] for row in rows),
            error=error,
            optional=not asked.forced,
            removable=not asked.forced,
        )
        return found if found.wrong() else replace(found, value=[row.value for row in rows])

    def _union(self, shape: Shape, asked: Asked, sent: Sent | None, *, budget: int, depth: int) -> Field:
        first = self._initial(shape, asked.base) if asked.base is not ABSENT or asked.forced else ""
        codes = [*([] if asked.forced else [""]), *(str(number) for number in range(len(shape.variants))), "json"]
        code, was, error = first, first, ""
        if sent is not None:
            code, was = (sent.text(f"{asked.name}:{part}") or "" for part in ("as", "was"))
            if code not in codes or was not in codes:
                code, was, sent, error = first, first, None, "its kind did not arrive: choose it again"
        content = f"{asked.name}.u"
        inside: tuple[Field, ...] = ()
        if code:
            schema = True if code == "json" else shape.variants[int(code)]
            base = asked.base if code == first else ABSENT
            inner = Asked(
                name=content, label=asked.label, path=asked.path, base=base, forced=True, required=asked.required
            )
            known = sent if code == was else self._carried(schema, content, sent)
            inside = (self._field(schema, inner, known, budget=budget, depth=depth + 1),)
        if sent is not None and code != was:
            sent.text(content)
            sent.skip(f"{content}.")
            sent.skip(f"{content}:")
        labels = {str(number): self._named(variant) for number, variant in enumerate(shape.variants)}
        options = tuple(
            Option(code=one, label=line(labels.get(one, "as JSON" if one else "(not given)")), chosen=one == code)
            for one in codes
        )
        found = _made(shape, asked, How.SELECT, options=options, union=True, was=code, fields=inside, error=error)
        return replace(found, value=inside[0].value) if inside and not found.wrong() else found

    def _carried(self, schema: object, content: str, sent: Sent | None) -> Sent | None:
        """What was typed for another kind, where the new one has one control as well."""
        simple = (Kind.TEXT, Kind.INTEGER, Kind.NUMBER, Kind.JSON)
        text = None if sent is None else sent.text(content)
        if text is None or self._schemas.shape(schema).kind not in simple:
            return None
        return Sent([(content, text)])

    def _initial(self, shape: Shape, base: object) -> str:
        """Which variant of a union a value belongs to, or ``json``."""
        if base is ABSENT:
            return "0"
        return next((str(n) for n, one in enumerate(shape.variants) if self._schemas.fits(one, base)), "json")

    def _named(self, variant: object) -> str:
        shape = self._schemas.shape(variant)
        for name, part in shape.fields:
            options = self._schemas.shape(part).options
            if len(options) == 1:
                return f"{shape.words}, {name} {_written(options[0])}"
        return shape.words


def _names(shape: Shape, base: dict[str, Any]) -> list[tuple[str, Any, bool]]:
    """The names of an object with their schemas and whether they are required: those listed, then those it has."""
    listed = [(name, schema, name in shape.required) for name, schema in shape.fields]
    known = {name for name, _, _ in listed}
    extra = shape.extra if isinstance(shape.extra, dict) else True
    return listed + [(name, extra, name in shape.required) for name in base if name not in known]


def _more(asked: Asked, sent: Sent | None, known: set[str]) -> Field:
    """Names that the schema does not list, to be added as JSON."""
    name = f"{asked.name}:more"
    text = "" if sent is None else sent.text(name)
    error = "" if text is not None else "this was not sent: load the page again"
    value: Any = {}
    if text and text.strip():
        try:
            value = read_json(text)
        except ValueError as problem:
            error = str(problem)
        else:
            if not isinstance(value, dict):
                error = 'this has to be a JSON object, such as {"name": "value"}'
            elif known & value.keys():
                error = f"{', '.join(sorted(plain(one) for one in known & value.keys()))} stands above already"
    return Field(
        name=name,
        label=line("Further names, as a JSON object"),
        path=asked.path,
        how=How.LINES,
        words="JSON",
        text=text or "",
        as_json=True,
        error=error,
        value=ABSENT if error else value,
    )


def _choice(shape: Shape, asked: Asked, sent: Sent | None) -> Field:
    """One of some values, each as it is: whatever its type, none is typed."""
    values = shape.options or (True, False)
    coded = {str(number): value for number, value in enumerate(values)}
    first = "" if not asked.forced or len(values) > 1 else "0"
    if asked.base is not ABSENT:
        first = next((code for code, value in coded.items() if same_json(value, asked.base)), "base")
        if first == "base":
            coded = {"base": asked.base} | coded
        coded[first] = asked.base
    code = first if sent is None else sent.text(asked.name)
    error = ""
    if code is None or (code not in coded and code != ""):
        code, error = first, "its choice did not arrive: choose again"
    elif not code and asked.forced and sent is not None:
        error = "choose one"
    quoted = any(not isinstance(value, str) for value in values) and shape.kind is Kind.CHOICE
    empty = (
        []
        if asked.forced and first
        else [Option(code="", label=line("(choose)" if asked.forced else "(not given)"), chosen=not code)]
    )
    options = [
        Option(
            code=one,
            label=line(("as planned: " if one == "base" else "") + _written(value, quoted=quoted or one == "base")),
            chosen=one == code,
        )
        for one, value in coded.items()
    ]
    value = coded.get(code, ABSENT) if not error else ABSENT
    return _made(shape, asked, How.SELECT, options=(*empty, *options), error=error, value=value)


def _written(value: object, *, quoted: bool = False) -> str:
    """A value as a label, in one line."""
    text = value if isinstance(value, str) and value and not quoted else pretty(value)
    return text[:_LABEL] + "…" * (len(text) > _LABEL)


def _made(shape: Shape, asked: Asked, how: How, **more: Any) -> Field:
    return Field(
        name=asked.name,
        label=asked.label,
        path=asked.path,
        how=how,
        words=shape.words,
        hint=shape.hint,
        required=asked.required,
        **more,
    )
