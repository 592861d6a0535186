"""Telling people of an alarm. None of these sees a call's arguments."""

from __future__ import annotations

import json
import shlex
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Final

from guardrail.codec import to_json
from guardrail.errors import ConfigError, GuardrailError
from guardrail.types import Alarm

Notify = Callable[[Alarm], None]
"""Tells somebody of an alarm. Whatever it raises, it is called again with the same alarm at the next look."""
_SECONDS: Final = 10.0
_LONGER: Final = 60.0


class _SameAddress(urllib.request.HTTPRedirectHandler):
    """Goes nowhere that was not named: an alarm is sent to the address given, or it is not sent."""

    def redirect_request(self, *_: object, **__: object) -> None:
        return None


def sentence(alarm: Alarm) -> str:
    """What an alarm says, in words."""
    whose = f"calls of {alarm.tool} in the {alarm.tier.value} tier" if alarm.tool else f"calls of the {alarm.tier} tier"
    return (
        f"{alarm.wrong} of {alarm.audits} audited {whose} were wrong; at most {100 * alarm.alpha:.3g} % are promised. "
        "They wait for a human until a person clears the alarm."
    )


def webhook(url: str, *, timeout: float = _SECONDS) -> Notify:
    """Sends an alarm to a URL as JSON (POST): ``text``, a sentence, and ``alarm``. Any answer but 2xx is a failure.

    ``timeout`` is in seconds.

    Raises:
        ConfigError: the URL is not http or https.
    """
    if not url.lower().startswith(("https://", "http://")):
        raise ConfigError(f"{url!r} is no address to send alarms to: it must begin with https:// or http://")
    opener = urllib.request.build_opener(_SameAddress)

    def send(alarm: Alarm) -> None:
        body = json.dumps({"text": sentence(alarm), "alarm": to_json(alarm)}).encode()
        request = urllib.request.Request(  # noqa: S310 - the scheme is checked above
            url, data=body, headers={"Content-Type": "application/json"}, method="POST"
        )
        try:
            with opener.open(request, timeout=timeout):
                pass
        except urllib.error.HTTPError as error:
            with error:
                raise GuardrailError(f"the webhook answered {error.code}") from error
        except (OSError, ValueError) as error:
            raise GuardrailError(f"the webhook cannot be reached ({type(error).__name__})") from error

    return send


def command(line: str, *, timeout: float = _LONGER) -> Notify:
    """Runs a command, without a shell, that reads an alarm as JSON from its standard input. An exit status other than 0
    is a failure. ``timeout`` is in seconds.

    Raises:
        ConfigError: the line is empty, or its quotes do not match.
    """
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise ConfigError(f"{line!r} is no command: {error}") from error
    if not words:
        raise ConfigError("the command that tells of alarms is empty")

    def run(alarm: Alarm) -> None:
        body = json.dumps({"text": sentence(alarm), "alarm": to_json(alarm)})
        try:
            done = subprocess.run(  # noqa: S603 - the operator's own command; nothing of a call is in it
                words, input=body, text=True, timeout=timeout, check=False
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise GuardrailError(f"{words[0]} could not be run ({type(error).__name__})") from error
        if done.returncode:
            raise GuardrailError(f"{words[0]} ended with status {done.returncode}")

    return run


def all_of(*notifiers: Notify) -> Notify:
    """Tells by each of them; where one fails the others are tried nevertheless, and all of them again next time."""

    def tell(alarm: Alarm) -> None:
        failures = []
        for notify in notifiers:
            try:
                notify(alarm)
            except Exception as error:  # noqa: BLE001 - one way of telling must not silence another
                failures.append(str(error))
        if failures:
            raise GuardrailError("; ".join(failures))

    return tell
