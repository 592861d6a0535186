"""Signing in by an OpenID provider: authorization code, PKCE, state and nonce, all bound to one browser."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import os
import threading
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote_plus

import httpx
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri  # type: ignore[import-untyped]
from authlib.oauth2.rfc7636 import create_s256_code_challenge  # type: ignore[import-untyped]
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from guardrail.access import checked_name, checked_roles
from guardrail.errors import AccessError, GuardrailError, NotPermitted
from guardrail.web.auth.id_token import WrongKey, checked_claims
from guardrail.web.auth.oidc_settings import SECRET, OidcSettings, checked_address

_log = logging.getLogger("guardrail.web")
_FRESH: Final = 3600.0
"""Seconds for which the provider's description and keys are taken as they are."""
_HASTE: Final = 30.0
"""Seconds after which its keys may be asked for again, where one is missing."""
_SECONDS: Final = 10.0
_LONGEST: Final = 1_000_000
_KINDS: Final = ("RSA", "EC")
"""Keys of which only one half is published."""
_MOST_GROUPS: Final = 1_000


class ProviderDown(GuardrailError):
    """The provider does not answer, or not as OpenID Connect says."""


@dataclass(frozen=True)
class Attempt:
    """One browser's attempt to sign in; all that it sends follows from a secret that the browser keeps."""

    secret: str

    @property
    def state(self) -> str:
        """What comes back with the code."""
        return self._made("state")

    @property
    def nonce(self) -> str:
        """What stands in the ID token."""
        return self._made("nonce")

    @property
    def verifier(self) -> str:
        """What only this server sends with the code (PKCE, RFC 7636)."""
        return self._made("verifier")

    def _made(self, what: str) -> str:
        return hmac.new(self.secret.encode(), f"guardrail oidc {what}".encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Arrived:
    """Somebody for whom the provider vouches, as far as this server is told to believe it."""

    issuer: str
    subject: str
    name: str
    roles: tuple[str, ...]


class Provider:
    """One provider. ``redirect`` is where it sends people back to, ``now`` the moment that tokens are judged at."""

    def __init__(
        self, settings: OidcSettings, *, redirect: str, now: Callable[[], datetime], secret: str | None = None
    ) -> None:
        self.settings = settings
        self.title = settings.title
        self._redirect, self._now = redirect, now
        self._secret = os.environ.get(SECRET) if secret is None else secret
        self._lock = threading.Lock()
        self._described: tuple[float, dict[str, Any]] | None = None
        self._keys: tuple[float, KeySet] | None = None

    def leave(self, attempt: Attempt) -> str:
        """The address at the provider where the attempt goes on.

        Raises:
            ProviderDown: it cannot be asked.
        """
        where = prepare_grant_uri(
            self._endpoint("authorization_endpoint"),
            client_id=self.settings.client_id,
            response_type="code",
            redirect_uri=self._redirect,
            scope=" ".join(self.settings.scopes),
            state=attempt.state,
            nonce=attempt.nonce,
            code_challenge=create_s256_code_challenge(attempt.verifier),
            code_challenge_method="S256",
        )
        return str(where)

    def arrive(self, attempt: Attempt, answer: dict[str, str]) -> Arrived:
        """Who came back, by the parameters that came with them.

        Raises:
            NotPermitted: the answer is of another attempt or another provider, or they may not come in here.
            ProviderDown: it cannot be asked.
        """
        if not hmac.compare_digest(answer.get("state", "").encode(), attempt.state.encode()):
            raise NotPermitted("this answer belongs to another attempt to sign in: begin again")
        self._check_issuer(answer.get("iss"))
        if "error" in answer:
            raise NotPermitted("the provider did not let you in")
        if not 0 < len(answer.get("code", "")) <= 4_000:
            raise NotPermitted("the provider's answer has no code")
        token, key = self._exchanged(answer["code"], attempt)
        claims = self._claims(token, attempt)
        return self._let_in(self._more(claims, key))

    def _let_in(self, claims: dict[str, Any]) -> Arrived:
        accept, groups = self.settings.accept, groups_in(claims, self.settings.roles_claim)
        subject = claims["sub"]
        if not (accept.everyone or subject in accept.subjects or groups & set(accept.groups)):
            raise NotPermitted(f"you are not among those who may come in: ask an admin to accept {subject!r}")
        roles = (role for group in groups for role in self.settings.roles.get(group, ()))
        return Arrived(
            issuer=self.settings.issuer,
            subject=subject,
            name=_name(claims.get(self.settings.name_claim), subject),
            roles=checked_roles((*self.settings.default_roles, *roles)),
        )

    def _check_issuer(self, said: str | None) -> None:
        """That the answer is this provider's (RFC 9207), where either of them says so."""
        if said is None and not self._description().get("authorization_response_iss_parameter_supported"):
            return
        if said != self.settings.issuer:
            raise NotPermitted("another provider answered than was asked: begin again")

    def _exchanged(self, code: str, attempt: Attempt) -> tuple[str, str]:
        """The ID token and the access token for a code."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect,
            "code_verifier": attempt.verifier,
            "client_id": self.settings.client_id,
        }
        found = self._asked(self._endpoint("token_endpoint"), form)
        if "error" in found:
            _log.warning("the OpenID provider refused a code")
            raise NotPermitted("the provider did not take its code back: begin again")
        token, key = found.get("id_token"), found.get("access_token")
        if not isinstance(token, str):
            raise NotPermitted("the provider does not say who signed in: it gave no ID token")
        return token, key if isinstance(key, str) and key.isascii() and key.isprintable() else ""

    def _claims(self, token: str, attempt: Attempt) -> dict[str, Any]:
        def read(keys: KeySet) -> dict[str, Any]:
            return checked_claims(
                token,
                keys,
                issuer=self.settings.issuer,
                client_id=self.settings.client_id,
                nonce=attempt.nonce,
                now=self._now(),
            )

        try:
            return read(self._key_set(_FRESH))
        except WrongKey:
            return read(self._key_set(_HASTE))  # it may have a new one

    def _more(self, claims: dict[str, Any], key: str) -> dict[str, Any]:
        """The claims, with those that the provider keeps at another address (UserInfo), where one that counts is not
        in the ID token, which is believed first.
        """
        wanted = (self.settings.name_claim, self.settings.roles_claim.partition(".")[0], self.settings.roles_claim)
        missing = wanted[0] not in claims or not (wanted[1] in claims or wanted[2] in claims)
        if not missing or not key or "userinfo_endpoint" not in self._description():
            return claims
        found = self._asked(self._endpoint("userinfo_endpoint"), key=key)
        if found.get("sub") != claims["sub"]:
            raise NotPermitted("the provider speaks of somebody else than signed in")
        return {**found, **claims}

    def _description(self) -> dict[str, Any]:
        with self._lock:
            if self._described is not None and time.monotonic() - self._described[0] < _FRESH:
                return self._described[1]
        found = self._asked(f"{self.settings.issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != self.settings.issuer:
            _log.error("the OpenID provider at %s says that it is another issuer", self.settings.issuer)
            raise ProviderDown("the provider says that it is another one: the issuer has to be written as it says")
        with self._lock:
            self._described = (time.monotonic(), found)
        return found

    def _key_set(self, fresh: float) -> KeySet:
        with self._lock:
            if self._keys is not None and time.monotonic() - self._keys[0] < fresh:
                return self._keys[1]
        try:
            published = self._asked(self._endpoint("jwks_uri"))["keys"]
            usable = [one for one in published if one.get("kty") in _KINDS and one.get("use", "sig") == "sig"]
            keys = KeySet.import_key_set({"keys": usable})
        except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise _down(error) from error
        with self._lock:
            self._keys = (time.monotonic(), keys)
        return keys

    def _endpoint(self, name: str) -> str:
        where = self._description().get(name)
        try:
            return checked_address(where)  # type: ignore[arg-type]  # what is no text is no address
        except (ValueError, TypeError, AttributeError) as error:
            raise _down(error) from error

    def _asked(self, url: str, form: dict[str, str] | None = None, *, key: str = "") -> dict[str, Any]:
        """What the provider says at an address, in JSON; with a form, as this client; with an access token as ``key``.
        Redirects are not followed.
        """
        try:
            signs = {"authorization": f"Bearer {key}"} if key else {} if form is None else self._signs(form)
            headers = {"accept": "application/json", **signs}
            method = "GET" if form is None else "POST"
            with (
                httpx.Client(timeout=_SECONDS) as client,
                client.stream(method, url, data=form, headers=headers) as answer,
            ):
                if form is None or answer.status_code not in (400, 401):  # those say what is wrong
                    answer.raise_for_status()
                found = json.loads(_short(answer))
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, RecursionError) as error:
            raise _down(error) from error
        if not isinstance(found, dict):
            raise ProviderDown("the provider answers something else than OpenID Connect says")
        return found

    def _signs(self, form: dict[str, str]) -> dict[str, str]:
        """The header by which the provider knows this client; or the secret is put into the form, if it wants that."""
        if not self._secret:
            return {}
        ways = self._description().get("token_endpoint_auth_methods_supported") or ("client_secret_basic",)
        if "client_secret_basic" not in ways:
            form["client_secret"] = self._secret
            return {}
        both = f"{quote_plus(self.settings.client_id)}:{quote_plus(self._secret)}"  # RFC 6749, 2.3.1
        return {"authorization": f"Basic {b64encode(both.encode()).decode()}"}


def _short(answer: httpx.Response) -> bytes:
    body = b""
    for part in answer.iter_bytes():
        body += part
        if len(body) > _LONGEST:
            raise ValueError("the answer is too long")
    return body


def groups_in(claims: dict[str, Any], path: str) -> set[str]:
    """The texts that a claim holds: of that very name, or at that path; what is no text gives nothing."""
    found: Any = claims
    if path in claims:
        found = claims[path]
    else:
        for part in path.split("."):
            found = found.get(part) if isinstance(found, dict) else None
    values = [found] if isinstance(found, str) else found if isinstance(found, list) else []
    return {value for value in values[:_MOST_GROUPS] if isinstance(value, str)}


def _name(said: Any, subject: str) -> str:
    """A name that can be read: the claim's, else the subject."""
    try:
        return checked_name(said) if isinstance(said, str) else checked_name(subject)
    except AccessError:
        return checked_name(subject)


def _down(error: Exception) -> ProviderDown:
    _log.error("the OpenID provider cannot be asked: %s", type(error).__name__)
    return ProviderDown("the provider cannot be asked at the moment: try again, or sign in with a password")
