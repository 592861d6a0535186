"""What of a call is not written down, and how it is kept instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from guardrail.types.forms import type_config


@dataclass(frozen=True, kw_only=True)
class Hiding:
    """What is hidden of the arguments of one call.

    ``secrets``: values that look like secrets, wherever they stand, and those of arguments that are named like one.
    ``paths``: places in the arguments, ``card.number`` or ``/card/number``, with ``*`` for any key or item. ``keep``:
    what is hidden may be kept, encrypted.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    secrets: bool = True
    paths: tuple[str, ...] = ()
    keep: bool = False


@dataclass(frozen=True, kw_only=True)
class Sealed:
    """Something hidden, encrypted, that belongs to a review. ``slot`` says what it is: ``call``, or an edit's digest.

    ``key_id`` names the key without telling it; ``blob`` is base64. It opens only for the review, tenant and slot that
    it was sealed for.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    review_id: str
    slot: str
    tenant: str
    key_id: str
    at: str
    blob: str
