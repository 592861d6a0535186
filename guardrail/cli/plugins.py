"""What other packages bring to the command line, through entry points: found by name, loaded only when used."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from guardrail.clustering import Entailment, ExactEntailment
from guardrail.errors import ConfigError, GuardrailError, MissingExtra

COMMANDS = "guardrail.commands"
ENTAILMENTS = "guardrail.entailments"
_DISTRIBUTION = "guardrail-middleware"
_STRUCTURE = ("structure", "exact")


def entries(group: str) -> list[EntryPoint]:
    """What is installed for a group."""
    return list(entry_points(group=group))


def load(entry: EntryPoint, what: str) -> Any:
    """What an entry point names; ``what`` is what people call it.

    Raises:
        MissingExtra, ConfigError: it cannot be loaded; the message says what to install.
    """
    try:
        return entry.load()
    except GuardrailError:
        raise
    except ImportError as error:
        owner = entry.dist.name if entry.dist else ""
        package = entry.module.partition(".")[0]
        if owner == _DISTRIBUTION and (error.name or "").partition(".")[0] != package:
            raise MissingExtra(what, package.removeprefix("guardrail_")) from error  # adapters and extras agree
        raise ConfigError(f"{what} cannot be loaded ({error}): install {owner or 'its package'} again") from error
    except Exception as error:
        raise ConfigError(f"{what} cannot be loaded, its package is broken: {error!r}") from error


def entailment(name: str) -> Entailment:
    """The judge of that name: "structure" (or "exact"), or KIND or KIND:MODEL of an installed adapter.

    An adapter registers a factory under ``guardrail.entailments``. It is called with what stands behind the
    colon, and without an argument where nothing does.

    Raises:
        ConfigError: there is none, or it cannot be loaded.
    """
    kind, _, model = name.partition(":")
    if name in _STRUCTURE:
        return ExactEntailment()
    found = entries(ENTAILMENTS)
    entry = next((entry for entry in found if entry.name == kind), None)
    if entry is None:
        names = ", ".join([*_STRUCTURE, *sorted(f"{one.name}[:MODEL]" for one in found)])
        raise ConfigError(f"there is no backend {name!r}; use one of {names}")
    factory = load(entry, f"the backend {name!r}")
    judge: Entailment = factory(model) if model else factory()
    return judge
