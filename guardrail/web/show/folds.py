"""Values that are too big to be shown at once: folded with their size and digest, and opened by a link.

What is folded is not in the page, and neither is the token that says that it was opened. So a form that holds the token
comes from a page that showed the value, and nothing big is approved unseen.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode

from guardrail.visible import plain
from guardrail.web.show.texts import Line, legend, line, lines

ALL: Final = "all"
"""The key that opens everything."""
LONGEST: Final = 2_000_000
"""Characters of a value that a page shows at all. A longer one cannot be opened, and so not be approved there."""
OF_PARTS: Final = "its canonical JSON"
OF_TEXT: Final = "its UTF-8 text"
_BEGINNING: Final = 120
_KEY: Final = 16

Path = tuple[str | int, ...]


@dataclass(frozen=True, kw_only=True)
class Opening:
    """What a page shows open, and where its links to open more lead: ``here`` with ``query`` kept.

    ``secret`` is known to the signed-in browser only (its CSRF token), ``bound`` is the digest of the review: a token
    is good for one value of one review in one session.
    """

    here: str = ""
    keys: frozenset[str] = frozenset()
    query: tuple[tuple[str, str], ...] = ()
    secret: str = field(default="", repr=False)
    bound: str = ""
    where: str = ""
    """The part of the page, where the same value may stand in several: its anchors begin so."""

    def opens(self, key: str) -> bool:
        """Whether the page shows this fold open."""
        return key in self.keys or ALL in self.keys

    def link(self, key: str) -> str:
        """The same page with this fold open too, scrolled to it."""
        keys = [*sorted(self.keys - {key, ALL}), key]
        query = urlencode([*self.query, *(("open", one) for one in keys)])
        return f"{self.here}?{query}#{self.anchor(key)}"

    def anchor(self, key: str) -> str:
        """Where in the page the fold is."""
        return f"fold-{self.where}{key}"


CLOSED: Final = Opening()


@dataclass(frozen=True, kw_only=True)
class Fold:
    """One folded value. ``size`` is its length in characters, ``digest`` the SHA-256 of ``digest_of`` in hex.

    ``lines`` and ``token`` are there only where it is open. ``too_long``: it cannot be opened in a page.
    """

    key: str
    anchor: str
    path: Path
    what: str
    text: str = field(repr=False)
    size: int
    digest: str
    digest_of: str
    beginning: Line
    link: str = ""
    opened: bool = False
    too_long: bool = False
    token: str = field(default="", repr=False)
    lines: tuple[Line, ...] = ()
    legend: tuple[str, ...] = ()

    @property
    def path_text(self) -> str:
        """Where it stands, such as ``items.3.text``."""
        return path_text(self.path)

    @property
    def label(self) -> str:
        """Its name for those who do not see where it stands."""
        return f"{plain(self.path_text[:_BEGINNING])}: {self.what}" if self.path else self.what


def path_text(path: Path) -> str:
    """A path for people: names and indices, with dots between."""
    return ".".join(str(part) for part in path)


def fold(text: str, *, path: Path, what: str, digest_of: str, opening: Opening, digest: str | None = None) -> Fold:
    """A value folded, by the text that is shown when it is opened. ``digest`` is that of something else than the text;
    empty: there is none, and it cannot be opened.
    """
    if digest is None:
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    key = hashlib.sha256("\0".join((repr(path), what, digest)).encode("utf-8", "surrogatepass")).hexdigest()[:_KEY]
    too_long = len(text) > LONGEST or not digest
    opened = opening.opens(key) and not too_long
    return Fold(
        key=key,
        anchor=opening.anchor(key),
        path=path,
        text=text,
        what=what,
        size=len(text),
        digest=digest,
        digest_of=digest_of,
        beginning=line(text[:_BEGINNING]),
        link=opening.link(key) if opening.here and not too_long else "",
        opened=opened,
        too_long=too_long,
        token=_token(key, opening.secret, opening.bound) if opened and opening.secret else "",
        lines=lines(text) if opened else (),
        legend=legend(text) if opened else (),
    )


def not_opened(folds: Iterable[Fold], tokens: Iterable[str], *, secret: str, bound: str) -> tuple[Fold, ...]:
    """The folds whose token is not among these. Without a secret nothing was opened."""
    given = [token for token in tokens if token.isascii()]
    return tuple(
        one
        for one in folds
        if not secret
        or one.too_long
        or not any(hmac.compare_digest(_token(one.key, secret, bound), token) for token in given)
    )


def _token(key: str, secret: str, bound: str) -> str:
    said = f"opened\0{bound}\0{key}".encode("utf-8", "surrogatepass")
    return hmac.new(secret.encode("utf-8", "surrogatepass"), said, hashlib.sha256).hexdigest()[:32]
