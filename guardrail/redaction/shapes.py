"""Known shapes of secrets in text: where they stand, and of which kind they are.

Every pattern is linear in the length of the text. Where a shape has a name beside the secret (``password=...``), only
the secret is meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True, order=True)
class Span:
    """A piece of a text, from ``start`` up to but not including ``end``."""

    start: int
    end: int
    kind: str


@dataclass(frozen=True, kw_only=True)
class _Shape:
    kind: str
    pattern: re.Pattern[str]
    hints: tuple[str, ...]
    """Texts of which one has to be there, in lower case: looked for first, which is fast."""
    group: int = 0


def _shape(kind: str, pattern: str, *hints: str, group: int = 0, flags: int = 0) -> _Shape:
    return _Shape(kind=kind, pattern=re.compile(pattern, flags), hints=hints, group=group)


_WORD: Final = r"(?<![A-Za-z0-9_])"
_END: Final = r"(?![A-Za-z0-9_-])"
_KEY_NAMES: Final = (
    r"(?:[A-Za-z0-9]{1,20}[_-]){0,3}(?:passwords?|passwd|pwd|passphrase|secret(?:[_-]?(?:access[_-]?)?key)?"
    r"|api[_-]?key|access[_-]?key|(?:access|refresh|auth|session|bearer|api)[_-]?token|client[_-]?secret"
    r"|private[_-]?key|account[_-]?key|shared[_-]?access[_-]?key)"
)
VALUE: Final = (
    r"(?:\\\"((?:[^\"\\\n]|\\[^\"\n])+)|\"((?:[^\"\\\n]|\\.)+)"
    r"|'((?:[^'\\\n]|\\.)+)|([^\s\"'\\,;&|<>(){}\[\]]{3,}))"
)
"""A value behind a name: quoted within a quoted text, quoted (to its end, or as far as it goes), or bare."""
_SHAPES: Final = (
    _shape(
        "private key",
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----[\s\S]*?"
        r"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z)",
        "private key",
    ),
    _shape("AWS key", rf"{_WORD}(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{{16}}{_END}", "akia", "asia", "abia", "acca"),
    _shape("Google key", rf"{_WORD}AIza[A-Za-z0-9_-]{{35}}", "aiza"),
    _shape("Google token", rf"{_WORD}(?:ya29\.[A-Za-z0-9._-]{{20,}}|GOCSPX-[A-Za-z0-9_-]{{20,}})", "ya29.", "gocspx-"),
    _shape("Azure key", r"[?&;](?:sig|SharedAccessSignature)=([A-Za-z0-9%+/=_-]{20,})", "sig=", "signature=", group=1),
    _shape("Azure secret", rf"{_WORD}[A-Za-z0-9_~.-]{{3}}[0-9]Q~[A-Za-z0-9_~.-]{{31,34}}", "q~"),
    _shape(
        "GitHub token",
        rf"{_WORD}(?:gh[pousr]_[A-Za-z0-9]{{20,255}}|github_pat_[A-Za-z0-9_]{{20,255}})",
        "gh",
        "github_pat_",
    ),
    _shape("GitLab token", rf"{_WORD}gl(?:pat|dt|rt|cbt|ptt)-[A-Za-z0-9_-]{{20,}}", "gl"),
    _shape(
        "Slack token",
        rf"{_WORD}(?:xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{{10,}}|xapp-[A-Za-z0-9-]{{10,}})",
        "xox",
        "xapp-",
    ),
    _shape(
        "Slack webhook",
        r"hooks\.slack\.com/(?:services|workflows|triggers)/([A-Za-z0-9/_-]{20,})",
        "hooks.slack.com",
        group=1,
    ),
    _shape(
        "Stripe key",
        rf"{_WORD}(?:[srp]k_(?:live|test)_[A-Za-z0-9]{{10,}}|whsec_[A-Za-z0-9+/=]{{20,}})",
        "k_live_",
        "k_test_",
        "whsec_",
    ),
    _shape("Anthropic key", rf"{_WORD}sk-ant-[A-Za-z0-9_-]{{16,}}", "sk-ant-"),
    _shape("API key", rf"{_WORD}sk-[A-Za-z0-9_-]{{20,}}", "sk-"),
    _shape("Hugging Face token", rf"{_WORD}hf_[A-Za-z0-9]{{20,}}", "hf_"),
    _shape("package token", rf"{_WORD}(?:npm_[A-Za-z0-9]{{36}}|pypi-[A-Za-z0-9_-]{{40,}})", "npm_", "pypi-"),
    _shape("SendGrid key", rf"{_WORD}SG\.[A-Za-z0-9_-]{{16,}}\.[A-Za-z0-9_-]{{16,}}", "sg."),
    _shape("signed token", rf"{_WORD}eyJ[A-Za-z0-9_-]{{8,}}(?:\.[A-Za-z0-9_-]*){{2,4}}", "eyj"),
    _shape(  # where a text was cut off within it
        "secret",
        rf"{_WORD}(?:gh[pousr]_|github_pat_|glpat-|sk-ant-|sk-proj-|[sr]k_live_|xox[a-z]-|AKIA|ASIA|AIza|SG\.|eyJ)"
        r"[A-Za-z0-9_.-]{4,}(?=[.\u2026\"')]*\Z)",
        *("gh", "github_pat_", "glpat-", "sk-", "k_live_", "xox", "akia", "asia", "aiza", "sg.", "eyj"),
    ),
    _shape(
        "credentials",
        r"\b(?:proxy-)?authorization\\?[\"']?\s{0,3}[:=]\s{0,3}\\?[\"']?(?:[a-z]{1,20}\s{1,3})?([^\s\"'\\,;]{4,})",
        "authorization",
        group=1,
        flags=re.IGNORECASE,
    ),
    _shape(
        "credentials",
        r"\b(?:bearer|basic)\s{1,3}((?=[A-Za-z._~+/-]{0,200}[0-9=])[A-Za-z0-9._~+/=-]{12,})",
        "bearer",
        "basic",
        group=1,
        flags=re.IGNORECASE,
    ),
    _shape("password", r"[A-Za-z][A-Za-z0-9+.-]{0,30}://[^\s:@/\"']{0,200}:([^\s\"'<>]{1,500})@", "://", group=1),
)
_NAMED: Final = re.compile(
    rf"(?<![A-Za-z0-9])({_KEY_NAMES})\\?[\"']?\s{{0,3}}(?:[:=]|=>)\s{{0,3}}{VALUE}", re.IGNORECASE
)
_NAMED_HINTS: Final = ("passw", "pwd", "passphrase", "secret", "key", "token")
_ANY_HINT: Final = re.compile(
    "|".join(map(re.escape, {*(one for shape in _SHAPES for one in shape.hints), *_NAMED_HINTS}))
)
"""Most texts have no hint at all, which one search tells."""
_SHORTEST: Final = 6
"""Characters of the shortest secret with what tells it, such as ``pwd="a``."""
_DIGITS: Final = re.compile(r"(?<![0-9A-Za-z.])[2-6](?:[ -]?[0-9]){11,18}(?![0-9A-Za-z]|\.[0-9])")
_ISSUERS: Final = (
    (re.compile(r"4"), frozenset({13, 16, 19})),
    (re.compile(r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720"), frozenset({16})),
    (re.compile(r"3[47]"), frozenset({15})),
    (re.compile(r"30[0-5]|36|38|39"), frozenset({14, 16})),
    (re.compile(r"35(?:2[89]|[3-8])"), frozenset({16})),
    (re.compile(r"6011|64[4-9]|65"), frozenset({16, 19})),
    (re.compile(r"62|50|5[6-8]|6[37]"), frozenset({16, 17, 18, 19})),
)


def may_hold_secret(text: str) -> bool:
    """Whether :func:`find_secrets` can find anything in a text, or in a part of it: one that ends at a line's end."""
    return _ANY_HINT.search(text.lower()) is not None or _DIGITS.search(text) is not None


def find_secrets(text: str) -> list[Span]:
    """Where a text has something that looks like a secret, in order; pieces do not overlap."""
    if len(text) < _SHORTEST:
        return []
    lowered = text.lower()
    found: list[Span] = []
    if _ANY_HINT.search(lowered):
        found = [span for shape in _SHAPES if any(hint in lowered for hint in shape.hints) for span in _of(shape, text)]
        if any(hint in lowered for hint in _NAMED_HINTS):
            found += _named(text)
    found += [
        Span(start=one.start(), end=one.end(), kind="card number") for one in _DIGITS.finditer(text) if is_card(one[0])
    ]
    return merged(found)


def is_card(text: str) -> bool:
    """Whether digits, with or without spaces and hyphens, are the number of a payment card."""
    digits = "".join(each for each in text if each.isdigit())
    if not any(issuer.match(digits) and len(digits) in lengths for issuer, lengths in _ISSUERS):
        return False
    return len(set(digits)) > 1 and _luhn(digits)


def merged(spans: list[Span]) -> list[Span]:
    """The spans in order, those that overlap made one, of the kind of the first."""
    joined: list[Span] = []
    for span in sorted(spans):
        if span.start >= span.end:
            continue
        if joined and span.start < joined[-1].end:
            last = joined[-1]
            joined[-1] = Span(start=last.start, end=max(last.end, span.end), kind=last.kind)
        else:
            joined.append(span)
    return joined


def _of(shape: _Shape, text: str) -> Iterator[Span]:
    for found in shape.pattern.finditer(text):
        start, end = found.span(shape.group)
        yield Span(start=start, end=end, kind=shape.kind)


def _named(text: str) -> Iterator[Span]:
    """``password=...`` and its like, in every notation that programs write."""
    for found in _NAMED.finditer(text):
        group = next(number for number in (2, 3, 4, 5) if found[number] is not None)
        start, end = found.span(group)
        yield Span(start=start, end=end, kind="password" if "pass" in found[1].lower() else "secret")


def _luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
