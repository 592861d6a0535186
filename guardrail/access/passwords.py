"""Passwords of local accounts: hashed with argon2id (RFC 9106), and not the first that anybody would try."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from guardrail.errors import AccessError
from guardrail.names import skeleton

SHORTEST: Final = 12
LONGEST: Final = 1024
"""Characters that a password may have."""
_AT_ONCE: Final = 4
"""Passwords that are hashed at once: each takes 64 MiB, and anybody may have one tried."""
_COMMON: Final = frozenset(
    skeleton(one)
    for one in (
        *("password1234", "password12345", "passwordpassword", "123456789012", "1234567890123", "12345678901234"),
        *("qwertyuiop12", "qwertyuiop123", "qwerty123456", "1q2w3e4r5t6y", "adminadminadmin", "administrator"),
        *("letmeinletmein", "iloveyou1234", "welcome12345", "changeme1234", "changemechangeme", "guardrailguardrail"),
        *("guardrail1234", "abcdefghijkl", "abcd1234abcd", "000000000000", "111111111111", "correcthorsebatterystaple"),
    )
)


class Passwords:
    """Hashes and checks passwords. ``hasher`` has the cost; by default argon2-cffi's, which follows RFC 9106."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._few = threading.BoundedSemaphore(_AT_ONCE)

    @cached_property
    def _nobody(self) -> str:
        """The hash that is tried where there is none."""
        return self._hasher.hash("nobody has this password")

    def hashed(self, password: str, *, name: str) -> str:
        """What is kept of a new password.

        Raises:
            AccessError: it is too short, too long, the name, or one of the commonest.
        """
        check(password, name=name)
        return self.again(password)

    def fits(self, kept: str, password: str) -> bool:
        """Whether it is the password. Where there is none (empty) that takes as long."""
        try:
            with self._few:
                fits = self._hasher.verify(kept or self._nobody, password[: LONGEST + 1])
        except (Argon2Error, InvalidHashError, UnicodeError):
            return False
        return fits and bool(kept) and len(password) <= LONGEST

    def outdated(self, kept: str) -> bool:
        """Whether the hash was made at another cost than today's."""
        return self._hasher.check_needs_rehash(kept)

    def again(self, password: str) -> str:
        """The hash of a password that is right, at today's cost."""
        with self._few:
            return self._hasher.hash(password)


def check(password: str, *, name: str) -> None:
    """Whether a password can be taken.

    Raises:
        AccessError: no, and why not.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise AccessError(f"a password needs {SHORTEST} to {LONGEST} characters, this one has {len(password)}")
    try:
        password.encode()
    except UnicodeEncodeError as error:
        raise AccessError("the password holds half a character (a lone surrogate)") from error
    if skeleton(password) in _COMMON or len(set(password)) < 5:
        raise AccessError("this password is one of the first that anybody would try: take another, or a longer phrase")
    if name and _letters(password) == _letters(name):
        raise AccessError("the password is the name: take another")


def _letters(text: str) -> str:
    return "".join(filter(str.isalpha, text.casefold()))
