"""API tokens: credentials of programs, bound to scopes; never more than their owner may, and no agent's decides."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from guardrail.access.accounts import Accounts, check_admin, checked_name, checked_roles
from guardrail.access.credentials import digest_of, new_token, read_token, same
from guardrail.errors import AccessError, NotPermitted
from guardrail.types import Account, ApiToken, Principal, PrincipalKind

READ: Final = "reviews:read"
DECIDE: Final = "reviews:decide"
METRICS: Final = "metrics:read"
SCOPES: Final = (READ, DECIDE, METRICS)
"""What a token may be for."""
_USED: Final = timedelta(minutes=5)


class Tokens(Accounts):
    """Tokens of programs: of a person, who is then who acts, of an agent, or of a part of the system (metrics)."""

    def create_token(
        self,
        name: str,
        *,
        scopes: tuple[str, ...],
        by: Principal,
        kind: PrincipalKind = PrincipalKind.HUMAN,
        owner: Account | None = None,
        until: str = "",
    ) -> tuple[ApiToken, str]:
        """A new token, and its text, which is shown this once.

        A person's token has an ``owner`` and is made by that person; those of agents and of the system are made by
        admins.

        Raises:
            NotPermitted: not for this one to make, or an agent's is to decide.
            AccessError: a scope or the name is none, or it has expired already.
        """
        checked_name(name)
        unknown = sorted(set(scopes) - set(SCOPES))
        if unknown or not scopes:
            raise AccessError(
                f"a token needs scopes among {', '.join(SCOPES)}; {', '.join(unknown) or 'none'} was given"
            )
        if until and self._past(until):
            raise AccessError("the token would have expired already")
        if kind is PrincipalKind.HUMAN:
            if (
                owner is None
                or owner.disabled
                or (owner.name, owner.tenant) != (by.name, by.tenant)
                or by.scopes is not None
            ):
                raise NotPermitted("a person's token is made by that person, in a session of theirs")
        else:
            check_admin(by)
            if DECIDE in scopes:
                raise NotPermitted(f"{kind.value} tokens never decide: leave out {DECIDE}")
        identity, secret, text = new_token()
        token = ApiToken(
            id=identity,
            name=name,
            secret=digest_of(secret),
            kind=kind,
            scopes=tuple(one for one in SCOPES if one in scopes),
            roles=checked_roles(owner.roles) if owner is not None and kind is PrincipalKind.HUMAN else (),
            tenant=by.tenant,
            owner=owner.id if owner is not None and kind is PrincipalKind.HUMAN else "",
            created=self._now(),
            until=until,
            by=by.name,
        )
        self._add(token, what="token.created", by=by.name)
        return token, text

    def token(self, text: str) -> Principal | None:
        """Who holds a token; None where it is none, was revoked, has expired, or its owner may not come in."""
        read = read_token(text)
        found = None if read is None else self._get(ApiToken, read[0])
        if read is None or found is None or not same(found[0].secret, digest_of(read[1])):
            return None
        token, _ = found
        if token.revoked or self._past(token.until):
            return None
        name, roles = token.name, token.roles
        if token.kind is PrincipalKind.HUMAN:
            owner = self.account(token.owner)
            if owner is None or owner.disabled:
                return None
            name, roles = owner.name, tuple(role for role in token.roles if role in owner.roles)
        self._token_used(token)
        scopes = token.scopes if token.kind is PrincipalKind.HUMAN else tuple(set(token.scopes) - {DECIDE})
        return Principal(name=name, kind=token.kind, roles=roles, tenant=token.tenant, scopes=tuple(sorted(scopes)))

    def tokens_of(self, account: Account) -> list[ApiToken]:
        """A person's own tokens, the newest first."""
        return _newest(self._all(ApiToken, tenant=account.tenant, owner=account.id))

    def tokens(self, *, by: Principal) -> list[ApiToken]:
        """All tokens of a tenant, the newest first.

        Raises:
            NotPermitted: no admin.
        """
        check_admin(by)
        return _newest(self._all(ApiToken, tenant=by.tenant))

    def revoke_token(self, identity: str, *, by: Principal) -> ApiToken:
        """Make a token worth nothing, for good: by its owner or an admin.

        Raises:
            AccessError: there is none of that id for this one.
        """
        found = self._get(ApiToken, identity)
        token = None if found is None else found[0]
        owner = None if token is None or not token.owner else self.account(token.owner)
        own = owner is not None and owner.name == by.name and by.scopes is None
        if token is None or token.tenant != by.tenant or not (own or _is_admin(by)):
            raise AccessError("there is no such token")
        changed = lambda one: replace(one, revoked=one.revoked or self._now())  # noqa: E731
        return self._change(ApiToken, identity, changed, what="token.revoked", by=by.name)

    def _token_used(self, token: ApiToken) -> None:
        used = datetime.fromisoformat(token.used) if token.used else None
        if used is not None and self._clock() - used < _USED:
            return
        self._change(ApiToken, token.id, lambda one: replace(one, used=self._now()))


def _is_admin(by: Principal) -> bool:
    try:
        check_admin(by)
    except NotPermitted:
        return False
    return True


def _newest(tokens: list[ApiToken]) -> list[ApiToken]:
    return sorted(tokens, key=lambda one: (one.created, one.id), reverse=True)
