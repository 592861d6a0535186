"""Accounts of people: who there is, with which roles, and who may change that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from guardrail.access.keeping import Keeping, account_id
from guardrail.access.passwords import Passwords
from guardrail.access.throttling import Throttle
from guardrail.clock import utc_now
from guardrail.codec import digest
from guardrail.errors import AccessError, NotPermitted
from guardrail.names import skeleton
from guardrail.store import Store
from guardrail.types import AccessEntry, AccessKind, Account, Principal, PrincipalKind

ADMIN: Final = "admin"
"""The role that manages people and tokens of its tenant."""
MAX_NAME: Final = 100
MAX_ROLES: Final = 50


class Accounts(Keeping):
    """The accounts of every tenant. Whoever acts (``by``) sees and changes its own tenant only."""

    def __init__(
        self, store: Store, *, clock: Callable[[], datetime] = utc_now, passwords: Passwords | None = None
    ) -> None:
        super().__init__(store, clock=clock)
        self._passwords = passwords or Passwords()

    def account(self, identity: str) -> Account | None:
        """The account of that id."""
        found = self._get(Account, identity)
        return None if found is None else found[0]

    def named(self, name: str, *, tenant: str = "") -> Account | None:
        """The account that a reader would take to have this name."""
        return self.account(account_id(tenant, name))

    def accounts(self, *, by: Principal) -> list[Account]:
        """The accounts of a tenant, by name.

        Raises:
            NotPermitted: no admin.
        """
        check_admin(by)
        return sorted(self._all(Account, tenant=by.tenant), key=lambda one: one.name.casefold())

    def set_roles(self, identity: str, roles: tuple[str, ...], *, by: Principal) -> Account:
        """Give an account other roles; its sessions end, so that none goes on with the old ones.

        Raises:
            NotPermitted: no admin, or the last one would lose the role.
            AccessError: there is no such account, or a role has no usable name.
        """
        account = self._own(identity, by)
        wanted = checked_roles(roles)
        if ADMIN in account.roles and ADMIN not in wanted:
            self._check_not_last(account)
        changed = lambda one: replace(one, roles=wanted, epoch=one.epoch + (one.roles != wanted))  # noqa: E731
        after = self._change(Account, account.id, changed, what="account.roles", by=by.name)
        self._keep_an_admin(account, after, by)
        return after

    def disable(self, identity: str, *, by: Principal) -> Account:
        """Shut somebody out, at once: sessions and tokens of a disabled account are worth nothing.

        Raises:
            NotPermitted: no admin, or it is the last one.
            AccessError: there is no such account.
        """
        account = self._own(identity, by)
        if ADMIN in account.roles and not account.disabled:
            self._check_not_last(account)
        changed = lambda one: replace(one, disabled=True, epoch=one.epoch + 1)  # noqa: E731
        after = self._change(Account, account.id, changed, what="account.disabled", by=by.name)
        self._keep_an_admin(account, after, by)
        return after

    def enable(self, identity: str, *, by: Principal) -> Account:
        """Let somebody in again.

        Raises:
            NotPermitted, AccessError: as for ``disable``.
        """
        account = self._own(identity, by)
        return self._change(
            Account, account.id, lambda one: replace(one, disabled=False), what="account.enabled", by=by.name
        )

    def change_password(self, account: Account, *, old: str, new: str) -> Account:
        """Set one's own password; all sessions end.

        Raises:
            TooManyAttempts: a wrong old one was given too often: whoever finds a browser open may not go on guessing.
            AccessError: the old one is wrong, or the new one cannot be taken.
        """
        throttle, now = Throttle(self._store), self._clock()
        throttle.attempt(now, account=account.id)
        if not self._passwords.fits(account.password, old):
            raise AccessError("the present password is wrong")
        throttle.succeeded(now, account=account.id)
        return self._set_password(account, new, what="account.password", by=account.name)

    def _set_password(self, account: Account, new: str, *, what: str, by: str) -> Account:
        hashed = self._passwords.hashed(new, name=account.name)
        changed = lambda one: replace(one, password=hashed, epoch=one.epoch + 1)  # noqa: E731
        return self._change(Account, account.id, changed, what=what, by=by)

    def of_subject(self, issuer: str, subject: str) -> Account | None:
        """The account of somebody whom an OpenID provider knows by this subject."""
        entry = self._store.access(AccessKind.SUBJECT, _subject_id(issuer, subject))
        return None if entry is None else self.account(entry.owner)

    def once(self, what: str, lasting: timedelta) -> bool:
        """Whether this is the first time that something is used; it is remembered that long."""
        until = (self._clock() + lasting).isoformat()
        entry = AccessEntry(kind=AccessKind.POINTER, id=digest("once", what), body="{}", expires=until)
        return self._store.put_access(entry)

    def provision(
        self, issuer: str, subject: str, *, name: str, tenant: str, roles: tuple[str, ...], make: bool = True
    ) -> Account:
        """The account of somebody who came by an OpenID provider, with the roles that it gives now; made if ``make``
        and there is none. Who it is hangs on issuer and subject alone, and never on a name or an address.

        Raises:
            NotPermitted: there is none, and none is made; or it is disabled.
            AccessError: the name is another account's, or not usable.
        """
        account = self.of_subject(issuer, subject)
        wanted = checked_roles(roles)
        if account is None:
            if not make:
                raise NotPermitted("nobody has invited this identity: an admin has to")
            account = self._make(name, tenant=tenant, roles=wanted, issuer=issuer, subject=subject, by=issuer)
        if account.disabled or account.tenant != tenant:
            raise NotPermitted("this account is disabled, or not of this tenant")
        if account.roles == wanted:
            return account
        changed = lambda one: replace(one, roles=wanted, epoch=one.epoch + 1)  # noqa: E731
        return self._change(Account, account.id, changed, what="account.roles", by=issuer)

    def _make(
        self,
        name: str,
        *,
        tenant: str,
        roles: tuple[str, ...],
        by: str,
        password: str = "",
        issuer: str = "",
        subject: str = "",
    ) -> Account:
        """A new account.

        Raises:
            AccessError: the name is not usable, or a reader would take it for another account's.
        """
        checked_name(name)
        account = Account(
            id=account_id(tenant, name),
            name=name,
            tenant=tenant,
            roles=checked_roles(roles),
            password=password,
            issuer=issuer,
            subject=subject,
            created=self._now(),
        )
        if not self._add(account, what="account.added", by=by):
            raise AccessError("there is an account of this name, or of one that looks the same: take another")
        if subject:
            entry = AccessEntry(
                kind=AccessKind.SUBJECT, id=_subject_id(issuer, subject), tenant=tenant, owner=account.id, body="{}"
            )
            if not self._store.put_access(entry):
                self._drop(account, what="account.removed", by=by)
                raise AccessError("this identity has an account already")
        return account

    def _own(self, identity: str, by: Principal) -> Account:
        """An account that this admin may change: those of other tenants are not there."""
        check_admin(by)
        account = self.account(identity)
        if account is None or account.tenant != by.tenant:
            raise AccessError("there is no such account")
        return account

    def _check_not_last(self, account: Account) -> None:
        if not self._has_admin(account.tenant, but=account.id):
            raise _last(account)

    def _keep_an_admin(self, before: Account, after: Account, by: Principal) -> None:
        """Two admins who shut each other out at the same moment both passed the check: each looks again, and takes it
        back where nobody is left.
        """
        if ADMIN not in before.roles or before.disabled or self._has_admin(before.tenant):
            return
        back = lambda one: replace(  # noqa: E731
            one, roles=before.roles, disabled=before.disabled, epoch=max(one.epoch, after.epoch) + 1
        )
        self._change(Account, before.id, back, what="account.kept", by=by.name)
        raise _last(before)

    def _has_admin(self, tenant: str, *, but: str = "") -> bool:
        return any(
            ADMIN in one.roles and not one.disabled and one.id != but for one in self._all(Account, tenant=tenant)
        )


def _last(account: Account) -> NotPermitted:
    return NotPermitted(f"{account.name} is the last admin: make somebody else one first")


def check_admin(by: Principal) -> None:
    """Whether somebody may manage people.

    Raises:
        NotPermitted: no person with the role, or credentials that are bound to scopes.
    """
    if by.kind is PrincipalKind.AGENT or ADMIN not in by.roles or by.scopes is not None:
        raise NotPermitted(f"{by.name} may not manage people: the role {ADMIN} is needed, and a session, not a token")


def checked_name(name: str) -> str:
    """The name, if people can read it.

    Raises:
        AccessError: no.
    """
    if not skeleton(name) or len(name) > MAX_NAME or name != name.strip() or not name.isprintable():
        raise AccessError(f"a name needs 1 to {MAX_NAME} characters that can be seen, without spaces around them")
    return name


def checked_roles(roles: tuple[str, ...]) -> tuple[str, ...]:
    """The roles, each once, in order.

    Raises:
        AccessError: one is no usable name, or there are too many.
    """
    found = tuple(sorted(set(roles)))
    if len(found) > MAX_ROLES:
        raise AccessError(f"an account may have {MAX_ROLES} roles")
    for role in found:
        if not role or role != role.strip() or len(role) > MAX_NAME or not role.isascii() or not role.isprintable():
            raise AccessError(f"a role is a word of at most {MAX_NAME} ASCII characters, such as treasury")
    return found


def principal_of(account: Account) -> Principal:
    """Who somebody is who is signed in."""
    return Principal(name=account.name, roles=account.roles, tenant=account.tenant)


def _subject_id(issuer: str, subject: str) -> str:
    return digest("subject", issuer, subject)
