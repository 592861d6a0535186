"""What an OpenID provider says of somebody: believed if it signed it, for this client, for this very attempt, now."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from guardrail.access import same
from guardrail.errors import NotPermitted

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""Signatures that need the provider's private key. ``none`` is none, and HMAC is for whoever has the secret."""
LEEWAY: Final = 60.0
"""Seconds that the two clocks may be apart."""
_OLDEST: Final = 600.0
_LONGEST: Final = 100_000


class WrongKey(NotPermitted):
    """None of the provider's keys made the signature; it may have new ones."""


def checked_claims(
    token: str, keys: KeySet, *, issuer: str, client_id: str, nonce: str, now: datetime
) -> dict[str, Any]:
    """The claims of an ID token (OpenID Connect Core, 3.1.3.7).

    Raises:
        WrongKey: the signature is not by one of these keys.
        NotPermitted: it is not for this client, not for this attempt, not of now, or no token at all.
    """
    if len(token) > _LONGEST:
        raise _wrong("is too long")
    try:
        claims = jwt.decode(token, keys, algorithms=list(ALGORITHMS)).claims
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise WrongKey("the provider's statement is not signed by it in a way that is read here") from error
    if claims.get("iss") != issuer:
        raise _wrong("is of another issuer")
    _check_audience(claims, client_id)
    _check_times(claims, now.timestamp())
    said = claims.get("nonce")
    if not isinstance(said, str) or not same(said, nonce):
        raise _wrong("belongs to another attempt to sign in")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= 255:
        raise _wrong("does not say who it is about")
    return dict(claims)


def _check_audience(claims: dict[str, Any], client_id: str) -> None:
    said = claims.get("aud")
    audience = [said] if isinstance(said, str) else said
    if not isinstance(audience, list) or client_id not in audience:
        raise _wrong("is for somebody else")
    party = claims.get("azp")
    if (len(audience) > 1 or party is not None) and party != client_id:
        raise _wrong("was given to somebody else")


def _check_times(claims: dict[str, Any], now: float) -> None:
    ends, made, begins = (_time(claims.get(name)) for name in ("exp", "iat", "nbf"))
    if ends is None or ends + LEEWAY <= now:
        raise _wrong("has expired")
    if made is None or made - LEEWAY > now or made + _OLDEST <= now:
        raise _wrong("was not made just now: compare the clocks of both machines")
    if claims.get("nbf") is not None and (begins is None or begins - LEEWAY > now):
        raise _wrong("does not hold yet")


def _time(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _wrong(what: str) -> NotPermitted:
    return NotPermitted(f"the provider's statement {what}")
