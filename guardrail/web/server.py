"""The process that serves: one socket, one event loop, and an end that waits for nobody who merely listens."""

from __future__ import annotations

import gc
import logging
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

import uvicorn
from fastapi import FastAPI

from guardrail.errors import ConfigError

_PATIENCE: Final = 10
"""Seconds that requests have to end once the process is told to."""
_MOST_AT_ONCE: Final = 1_000
"""Connections; beyond, they are told to come back."""
_OBJECTS: Final = 50_000
"""So many objects more than were given back, and Python looks for cycles among the latest."""
_ENDS: Final = (signal.SIGTERM, signal.SIGINT)


def bind(host: str, port: int) -> socket.socket:
    """A socket at that address, not yet listened to; port 0 takes one that is free.

    Raises:
        ConfigError: it cannot be had.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigError(f"{host!r} is no address of this machine: {error.strerror or error}") from error
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
    except OSError as error:
        found.close()
        said = error.strerror or error
        raise ConfigError(f"port {port} of {host} cannot be used: {said}. Name another with --port") from error
    return found


def serve(
    app: FastAPI,
    listening: socket.socket,
    *,
    certificate: Path | None = None,
    key: Path | None = None,
    forwarded_allow_ips: str = "",
    access_log: bool = False,
) -> None:
    """Answer until the process is told to end (SIGTERM, SIGINT); streams end at once, requests are finished.

    Raises:
        ConfigError: certificate and key cannot be used together.
    """
    _log(access=access_log)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,  # its lines have whole addresses, and so one-time links; ours have routes
        server_header=False,
        lifespan="off",
        ws="none",
        proxy_headers=bool(forwarded_allow_ips),
        forwarded_allow_ips=forwarded_allow_ips,
        ssl_certfile=certificate,
        ssl_keyfile=key,
        limit_concurrency=_MOST_AT_ONCE,
        timeout_graceful_shutdown=_PATIENCE,
    )
    try:
        config.load()
    except OSError as error:  # ssl's own errors are of this kind too
        raise ConfigError(f"the certificate {certificate} cannot be used with the key {key}: {error}") from error
    with _ending_quietly(), collecting_seldom():
        _Server(config).run(sockets=[listening])


class _Server(uvicorn.Server):
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        app: FastAPI = self.config.app  # type: ignore[assignment]
        app.state.house.live.close()  # else every browser that looks would keep the process
        await super().shutdown(sockets)


@contextmanager
def collecting_seldom() -> Iterator[None]:
    """A page that reads thousands of records makes millions of objects, none of them in a cycle. Looking for cycles
    among them, and among all that the program consists of, took Python three times as long as reading them.
    """
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


@contextmanager
def _ending_quietly() -> Iterator[None]:
    """Uvicorn raises the signal again at its end, which would kill what is still to be closed."""

    def already(_: int, __: FrameType | None) -> None:
        """It has ended."""

    before = {one: signal.signal(one, already) for one in _ENDS}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _log(*, access: bool) -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    logging.getLogger("guardrail.web.access").setLevel(logging.INFO if access else logging.WARNING)
