"""One-time links: to make the first account, to invite somebody, to set a forgotten password anew."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

from guardrail.access.accounts import ADMIN, Accounts, check_admin, checked_name, checked_roles
from guardrail.access.credentials import digest_of, new_secret
from guardrail.errors import AccessError
from guardrail.types import AccessEntry, AccessKind, Account, Invitation, Principal, Purpose

FIRST_RUN_HOURS: Final = 1
INVITED_HOURS: Final = 72
_POINTER: Final = "first-run"
_WORTHLESS: Final = "this link has been used, has expired, or never was one: ask for another"


class Invitations(Accounts):
    """One-time links. Looking at one changes nothing; using it takes it, once, whoever else tries at the same time."""

    def first_run(self, *, tenant: str = "") -> str | None:
        """The secret of a link that makes the first account, an admin's; None where there is any account already. One
        that was made before is worth nothing any more.
        """
        if self._store.accesses(AccessKind.ACCOUNT, limit=1):
            return None
        secret = self._invited(
            Invitation(id="", purpose=Purpose.FIRST_RUN, tenant=tenant, roles=(ADMIN,), by="serve"), FIRST_RUN_HOURS
        )
        while not self._point(digest_of(secret)):
            pass
        return secret

    def invite(self, name: str, roles: tuple[str, ...], *, by: Principal) -> str:
        """The secret of a link by which somebody makes an account of that name.

        Raises:
            NotPermitted: no admin.
            AccessError: the name is taken or not usable, or a role is none.
        """
        check_admin(by)
        if self.named(checked_name(name), tenant=by.tenant) is not None:
            raise AccessError("there is an account of this name, or of one that looks the same: take another")
        made = Invitation(
            id="", purpose=Purpose.INVITE, tenant=by.tenant, name=name, roles=checked_roles(roles), by=by.name
        )
        return self._invited(made, INVITED_HOURS)

    def reset(self, identity: str, *, by: Principal) -> str:
        """The secret of a link by which somebody sets a new password.

        Raises:
            NotPermitted: no admin.
            AccessError: there is no such account, or an OpenID provider vouches for it.
        """
        account = self._own(identity, by)
        if account.issuer:
            raise AccessError(f"{account.name} signs in by {account.issuer}, and has no password here")
        made = Invitation(
            id="", purpose=Purpose.RESET, tenant=by.tenant, name=account.name, account=account.id, by=by.name
        )
        return self._invited(made, INVITED_HOURS)

    def look(self, secret: str) -> Invitation:
        """What a link is for, without using it.

        Raises:
            AccessError: it is worth nothing.
        """
        found = self._get(Invitation, digest_of(secret)) if 0 < len(secret) < 200 else None
        if found is None or found[0].used or self._past(found[0].until) or not self._holds(found[0]):
            raise AccessError(_WORTHLESS)
        return found[0]

    def accept(self, secret: str, *, password: str, name: str = "") -> Account:
        """Use a link: an account with that password (of that ``name``, where the link says none), or a new password.

        Raises:
            AccessError: the link is worth nothing, or name or password cannot be taken; the link then still holds.
        """
        invitation = self.look(secret)
        name = invitation.name or checked_name(name)
        hashed = self._passwords.hashed(password, name=name)
        if invitation.purpose is not Purpose.RESET and self.named(name, tenant=invitation.tenant) is not None:
            raise AccessError("there is an account of this name, or of one that looks the same: take another")
        self._use(invitation)
        if invitation.purpose is Purpose.RESET:
            changed = lambda one: replace(one, password=hashed, epoch=one.epoch + 1)  # noqa: E731
            return self._change(Account, invitation.account, changed, what="account.password", by=invitation.by)
        return self._make(name, tenant=invitation.tenant, roles=invitation.roles, password=hashed, by=invitation.by)

    def _use(self, invitation: Invitation) -> None:
        now = self._now()

        def used(one: Invitation) -> Invitation:
            if one.used:
                raise AccessError(_WORTHLESS)
            return replace(one, used=now)

        self._change(Invitation, invitation.id, used, what="invitation.used", by=invitation.by)

    def _invited(self, invitation: Invitation, hours: float) -> str:
        secret = new_secret()
        until = (self._clock() + timedelta(hours=hours)).isoformat()
        made = replace(invitation, id=digest_of(secret), until=until)
        self._add(made, what=f"invitation.{invitation.purpose.value}", by=invitation.by)
        return secret

    def _holds(self, invitation: Invitation) -> bool:
        """Whether nothing has overtaken it: of first-run links only the last one counts, as long as nobody is there;
        the others hold as long as whoever made them may make them.
        """
        if invitation.purpose is not Purpose.FIRST_RUN:
            maker = self.named(invitation.by, tenant=invitation.tenant)
            return maker is None or (ADMIN in maker.roles and not maker.disabled)
        pointer = self._store.access(AccessKind.POINTER, _POINTER)
        last = pointer is not None and pointer.owner == invitation.id
        return last and not self._store.accesses(AccessKind.ACCOUNT, limit=1)

    def _point(self, identity: str) -> bool:
        before = self._store.access(AccessKind.POINTER, _POINTER)
        revision = 1 if before is None else before.revision + 1
        entry = AccessEntry(kind=AccessKind.POINTER, id=_POINTER, owner=identity, body="{}", revision=revision)
        return self._store.put_access(entry)
