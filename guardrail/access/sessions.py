"""Signing in with a name and a password, and sessions in a browser."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from guardrail.access.accounts import MAX_NAME, Accounts, principal_of
from guardrail.access.credentials import digest_of, form_token, new_secret
from guardrail.access.keeping import account_id
from guardrail.access.throttling import Throttle
from guardrail.errors import AccessError
from guardrail.types import Account, Principal, Session

IDLE: Final = timedelta(hours=2)
"""How long a session lasts that nobody uses."""
_SEEN: Final = timedelta(minutes=1)
"""How often at most a session's last use is written down."""
_NO_FIT: Final = "name and password do not fit each other"


@dataclass(frozen=True, kw_only=True)
class SignedIn:
    """Somebody's session. ``cookie`` is the secret that the browser keeps, ``csrf`` what its forms send back."""

    cookie: str
    csrf: str
    principal: Principal
    account: Account
    session: Session


class Sessions(Accounts):
    """Sessions of people who signed in. ``hours`` is how long one lasts however much it is used."""

    hours: float = 12

    def sign_in(self, name: str, password: str, *, tenant: str = "", address: str = "", agent: str = "") -> SignedIn:
        """Begin a session. An unknown name, a wrong password and a disabled account fail alike, in the same time.

        Raises:
            TooManyAttempts: too many failed before.
            AccessError: it failed.
        """
        throttle, now = Throttle(self._store), self._clock()
        name = name[:MAX_NAME]
        # by what a reader would take for the name, else each way to write it had attempts of its own
        whose = {"account": account_id(tenant, name), "address": address}
        throttle.attempt(now, **whose)
        account = self.named(name, tenant=tenant)
        right = self._passwords.fits("" if account is None else account.password, password)
        if account is None or not right or account.disabled:
            raise AccessError(_NO_FIT)
        throttle.succeeded(now, **whose)
        if self._passwords.outdated(account.password):
            old, again = account.password, self._passwords.again(password)
            # one that was set meanwhile stays
            account = self._change(
                Account, account.id, lambda one: replace(one, password=again) if one.password == old else one
            )
            if account.password != again:
                raise AccessError(_NO_FIT)
        return self.begin(account, address=address, agent=agent)

    def begin(self, account: Account, *, address: str = "", agent: str = "", by: str = "password") -> SignedIn:
        """Begin a session of somebody who has shown who they are, with a new secret."""
        cookie, now = new_secret(), self._clock()
        session = Session(
            id=digest_of(cookie),
            account=account.id,
            tenant=account.tenant,
            epoch=account.epoch,
            began=now.isoformat(),
            seen=now.isoformat(),
            until=(now + timedelta(hours=self.hours)).isoformat(),
            address=address[:100],
            agent=agent[:300],
            by=by,
        )
        self._add(session, what="session.began", by=account.name)
        return _signed_in(cookie, account, session)

    def session(self, cookie: str) -> SignedIn | None:
        """The session of a cookie, if it holds: not over, not idle too long, of an account as it was when it began."""
        found = self._get(Session, digest_of(cookie)) if 0 < len(cookie) < 200 else None
        if found is None:
            return None
        session, _ = found
        account = self.account(session.account)
        if account is None or account.disabled or account.epoch != session.epoch or self._over(session):
            return None
        return _signed_in(cookie, account, self._used(session))

    def sign_out(self, cookie: str) -> None:
        """End a session. One that is over stays so."""
        found = self._get(Session, digest_of(cookie))
        if found is not None:
            self._drop(found[0], what="session.ended", by=found[0].account)

    def sessions(self, account: Account) -> list[Session]:
        """Somebody's sessions that hold, the latest first."""
        found = [
            one for one in self._all(Session, owner=account.id) if one.epoch == account.epoch and not self._over(one)
        ]
        return sorted(found, key=lambda one: one.seen, reverse=True)

    def end_session(self, identity: str, *, account: Account) -> None:
        """End one of somebody's own sessions, by its id."""
        found = self._get(Session, identity)
        if found is not None and found[0].account == account.id:
            self._drop(found[0], what="session.ended", by=account.name)

    def _over(self, session: Session) -> bool:
        idle = session.seen and self._past(_later(session.seen, IDLE))
        return self._past(session.until) or bool(idle)

    def _used(self, session: Session) -> Session:
        if not self._past(_later(session.seen, _SEEN)):
            return session
        try:
            return self._change(Session, session.id, lambda one: replace(one, seen=self._now()))
        except AccessError:  # it was ended meanwhile
            return session


def _signed_in(cookie: str, account: Account, session: Session) -> SignedIn:
    return SignedIn(
        cookie=cookie,
        csrf=form_token(cookie),
        principal=principal_of(account),
        account=account,
        session=session,
    )


def _later(at: str, by: timedelta) -> str:
    return (datetime.fromisoformat(at) + by).isoformat()
