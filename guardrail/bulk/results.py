"""The file of results: one case a line, added as it is finished, kept through a crash, in order at the end.

Whatever runs the cases, on one machine or on many, writes through this one place. What is in the file is finished and
is never paid for again; so a run that was cut off is continued by starting it once more.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from guardrail.bulk.job import SOURCE
from guardrail.bulk.replaying import finite
from guardrail.codec import from_json, to_json
from guardrail.errors import ConfigError
from guardrail.types import Case

STARTED: Final = "started"
_BY_CASE: Final = (SOURCE, STARTED)
_BEGINNING: Final = b'{"id": '
_NOT_OURS: Final = "give --out a file of its own"


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A case in the file: where its line begins, what it was made from, and whether it failed."""

    offset: int
    source: str
    failed: bool


class Results:
    """The results of one run, with an exclusive hold on the file, which only its owner may read.

    ``repaired`` is the number of bytes of a torn last line that were taken off; such a case is done again. ``started``
    is the time at which the run that is continued began, empty for a new one.

    Raises:
        ConfigError: the file cannot be read or written, another process writes it, or it has something else in it than
            results of this ``run``; the message has the line.
    """

    def __init__(self, path: Path, run: Mapping[str, str]) -> None:
        self.path = path
        self.run = dict(run)
        self.repaired = 0
        self.started = ""
        self._finished: dict[str, Finished] = {}
        self._lines = 0
        try:
            # what appends continues where the others of this file have stopped, and nobody else reads it
            descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        except OSError as error:
            raise ConfigError(f"cannot write results to {path}: {error.strerror}") from error
        self._file: IO[bytes] = os.fdopen(descriptor, "a+b")
        try:
            _hold(self._file, path)
            self._read()
        except BaseException:
            self._file.close()
            raise

    @property
    def finished(self) -> Mapping[str, Finished]:
        """What is in the file, by the id of the case."""
        return self._finished

    def add(self, case: Case) -> None:
        """Write a case; it survives a crash once this returns.

        Raises:
            ConfigError: it cannot be written.
        """
        try:
            offset = self._file.seek(0, os.SEEK_END)
            self._file.write(line_of(case))
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise ConfigError(
                f"cannot write results to {self.path}: {error.strerror}; what is in the file is kept, and the same "
                "command goes on from there"
            ) from error
        self._lines += 1
        self._finished[case.id] = _entry(case.run, offset, failed=bool(case.failure))

    def cases(self) -> Iterator[Case]:
        """The last result of every case, by id."""
        for identity in sorted(self._finished):
            yield from_json(Case, json.loads(self._line(identity)))

    def complete(self) -> None:
        """Put the lines in the order of their ids, and leave out those that were done again.

        The new file takes the place of the old one at once, or not at all.
        """
        order = sorted(self._finished)
        if self._lines == len(order) and [*self._finished] == order:
            return
        beside = self.path.with_name(f"{self.path.name}.{os.getpid()}.tmp")
        try:
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                for identity in order:
                    file.write(self._line(identity))
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self.path)
        except OSError as error:
            with suppress(OSError):
                beside.unlink()
            raise ConfigError(f"cannot put {self.path} in order: {error.strerror}") from error

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _line(self, identity: str) -> bytes:
        self._file.seek(self._finished[identity].offset)
        return self._file.readline()

    def _read(self) -> None:
        self._file.seek(0)
        offset, number = 0, 0
        for number, line in enumerate(iter(self._file.readline, b""), start=1):
            try:
                # without its end a line was not finished, whatever it is otherwise
                data = json.loads(line if line.endswith(b"\n") else b"")
            except ValueError as error:
                if self._file.read(1) or not _torn(line):
                    raise ConfigError(f"{self.path}, line {number}: no JSON ({error}); {_NOT_OURS}") from error
                # a crash in the middle of writing: the case is not in the file
                self._file.truncate(offset)
                self.repaired = len(line)
                return
            self._take(data, f"{self.path}, line {number}", offset)
            self._lines += 1
            offset += len(line)

    def _take(self, data: Any, where: str, offset: int) -> None:
        run = data.get("run") if isinstance(data, dict) else None
        if not isinstance(run, dict) or SOURCE not in run or not isinstance(data.get("id"), str):
            raise ConfigError(f"{where}: this is no result of `guardrail replay`; {_NOT_OURS}")
        theirs = {key: value for key, value in run.items() if key not in _BY_CASE}
        if theirs != self.run:
            differ = [
                f"{key} {theirs.get(key, '') or 'none'!s} (now {self.run.get(key, '') or 'none'!s})"
                for key in dict.fromkeys((*self.run, *theirs))
                if theirs.get(key) != self.run.get(key)
            ]
            raise ConfigError(
                f"{where}: made with {', '.join(differ)}; results of two runs are not mixed: use the same settings, or "
                f"{_NOT_OURS}"
            )
        self.started = self.started or str(run.get(STARTED, ""))
        self._finished[data["id"]] = _entry(run, offset, failed=bool(data.get("failure")))


def line_of(case: Case) -> bytes:
    """A case as a line of the file."""
    return json.dumps(to_json(finite(case)), allow_nan=False).encode("utf-8", "surrogatepass") + b"\n"


def _entry(run: Mapping[str, str], offset: int, *, failed: bool) -> Finished:
    return Finished(offset=offset, source=str(run[SOURCE]), failed=failed)


def _torn(line: bytes) -> bool:
    """Whether this is the beginning of a line of results: nothing else is ever taken off a file."""
    return line.startswith(_BEGINNING) or _BEGINNING.startswith(line)


def _hold(file: IO[bytes], path: Path) -> None:
    """Keep other processes from writing the same results; the system lets go when this one ends, however it ends."""
    try:
        import fcntl
    except ImportError:  # not on this system
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise ConfigError(f"{path} is being written by another process: wait until it ends, or {_NOT_OURS}") from error
