"""Every exception that this package raises on purpose.

    GuardrailError
    ├── ConfigError            a policy, a schema or an option that cannot be used
    │   ├── PolicyError            ... the policy: where in the file, and what to write instead
    │   └── MissingExtra           ... an optional package is not installed; the message has the command
    ├── MeasurementError       evidence that could not be gathered: the call goes to its fail-closed route
    │   ├── SamplingError          ... the planning step could not be drawn again
    │   ├── AskingError            ... the model could not be asked about its call
    │   ├── BudgetSpent            ... it would cost more than the policy allows
    │   └── EntailmentError        ... two texts could not be compared
    ├── StoreError             records or reviews could not be read or written
    │   ├── StoreLocked            ... another process holds the database
    │   ├── StoreFull              ... no room left on the device
    │   ├── StoreTooNew            ... written by a newer version of this package
    │   └── NotFound               ... no such record or review
    ├── ReviewError            a decision that may not be taken
    │   ├── ReviewConflict         ... somebody decided first, or the decision was already used
    │   ├── NotSignedIn            ... nobody knows who asks
    │   ├── NotPermitted           ... whoever asks may not do it: a role or scope lacks, or it is an agent
    │   ├── TooManyReviews         ... one requester has asked for more reviews than the policy lets it
    │   └── InvalidDecision        ... not allowed for this call, or not readable as a decision
    ├── BadSignature           a webhook that was not signed with the secret, was changed, or is old
    ├── AccessError            an account, a password, a token or a link that cannot be used
    │   └── TooManyAttempts        ... too many failed attempts: wait
    └── CallBlocked            a tool call that must not run (raised in front of the tool)

Messages say what is wrong, where, and what to do.
"""

from __future__ import annotations


class GuardrailError(Exception):
    """Base of every exception raised by this package."""


class ConfigError(GuardrailError):
    """A policy, schema or option cannot be used as it is."""


class PolicyError(ConfigError):
    """A policy is wrong; the message names the place and the remedy."""


class MissingExtra(ConfigError):
    """An optional dependency is missing; the message has the command that installs it."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(
            f"{what} needs an optional package that is not installed. Run: pip install 'guardrail-middleware[{extra}]'"
        )


class MeasurementError(GuardrailError):
    """Evidence could not be gathered; the call takes its fail-closed route."""


class SamplingError(MeasurementError):
    """The planning step could not be drawn again. ``usage`` is what trying cost (a ``Usage``), where that is known."""

    usage: object = None


class AskingError(MeasurementError):
    """The model could not be asked about its call. ``usage`` is what trying cost (a ``Usage``), where that is known."""

    usage: object = None


class BudgetSpent(MeasurementError):
    """Measuring would cost more than the policy allows."""


class EntailmentError(MeasurementError):
    """Two texts could not be compared."""


class StoreError(GuardrailError):
    """Records or reviews could not be read or written."""


class StoreLocked(StoreError):
    """Another process holds the database."""


class StoreFull(StoreError):
    """No room is left where the database lives."""


class StoreTooNew(StoreError):
    """The database was written by a newer version of this package."""


class NotFound(StoreError):
    """No record or review has this id."""


class ReviewError(GuardrailError):
    """A decision may not be taken."""


class ReviewConflict(ReviewError):
    """Somebody decided first, or the decision was already used."""


class NotSignedIn(ReviewError):
    """Nobody knows who asks: no session, no token, or one that does not hold any more."""


class NotPermitted(ReviewError):
    """Whoever asks may not do this: an agent, the requester, or somebody without the role or scope."""


class TooManyReviews(ReviewError):
    """One requester has asked for more reviews than the policy lets it; nothing was put before a human."""


class InvalidDecision(ReviewError):
    """Not allowed for this call, or not readable as a decision."""


class BadSignature(GuardrailError):
    """A webhook does not come from whoever knows the secret, was changed on its way, or is too old."""


class AccessError(GuardrailError):
    """An account, a password, a token or a link cannot be used; the message says why, without naming secrets."""


class TooManyAttempts(AccessError):
    """Too many attempts failed. ``seconds`` is how long the next one has to wait."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"too many attempts failed: try again in {max(1, round(seconds))} seconds")
        self.seconds = seconds


class CallBlocked(GuardrailError):
    """A tool call must not run."""
