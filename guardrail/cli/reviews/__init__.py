"""``guardrail reviews``: look at the calls that wait for a human, and decide."""

from guardrail.cli.reviews import decide as _decide  # noqa: F401 - its commands
from guardrail.cli.reviews import hidden as _hidden  # noqa: F401
from guardrail.cli.reviews import look as _look  # noqa: F401
from guardrail.cli.reviews import watch as _watch  # noqa: F401
from guardrail.cli.reviews.group import reviews

__all__ = ["reviews"]
