"""Every door, by module. To add one:

1. Write ``tests/adapters/doors/NAME.py`` with ``DOORS = [YourDoor()]``, each a ``Door`` (``tests/adapters/door.py``)
   whose ``open(setting)`` gives a ``Conversation``. Import the framework at the top: where it is not installed the
   doors of the module are left out.
2. The model is played by ``setting.served``: ``OpenAIServed`` has ``url``; for another API write a ``Served`` of your
   own and name it in ``serving``. It asks ``self.played.turn(sample=..., told=...)`` for each choice.
3. Tools call ``setting.tools.ran(name, arguments, key)``, and have the schemas of ``tests/adapters/tools.py``.
4. Plan at another temperature than 1 (at none, or at 0): that is how samples are told.
5. What it cannot do raises ``Unable``, and stands in ``tests/adapters/limits.py`` with the reason.
"""

from __future__ import annotations

import importlib
from pathlib import Path

from tests.adapters.door import Door

_OURS = {"tests", "guardrail"}


def _found() -> tuple[list[Door], dict[str, str]]:
    doors: list[Door] = []
    missing: dict[str, str] = {}
    for file in sorted(Path(__file__).parent.glob("[a-z]*.py")):
        try:
            module = importlib.import_module(f"tests.adapters.doors.{file.stem}")
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] in _OURS:
                raise
            missing[file.stem] = str(error.name)
            continue
        doors += module.DOORS
    return doors, missing


DOORS, MISSING = _found()
"""The doors that there are, and modules whose framework is not installed, with its name."""
