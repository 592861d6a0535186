"""``guardrail serve``: one command on a fresh machine, and what it refuses."""

from __future__ import annotations

import contextlib
import os
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from guardrail.cli.main import main
from guardrail.cli.serve import check_exposure, is_loopback
from guardrail.errors import ConfigError
from guardrail.store import open_store
from guardrail.web.server import bind
from tests.support import postgres
from tests.web.serving import Site

PASSWORD = "a long enough phrase"


@dataclass
class Served:
    """A server that runs in a process of its own."""

    process: subprocess.Popen[str]
    url: str
    lines: list[str]
    link: str = ""


@contextlib.contextmanager
def serving(store: str, *arguments: str) -> Iterator[Served]:
    """The server on a free port, once it answers."""
    command = [sys.executable, "-m", "guardrail", "--store", store, "serve", "--port", "0", *arguments]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    lines: list[str] = []
    heard: queue.Queue[str] = queue.Queue()

    def hear() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            heard.put(line)

    reader = threading.Thread(target=hear, daemon=True)
    reader.start()
    served = Served(process, "", lines)
    try:
        while not served.link:
            line = heard.get(timeout=60)
            if found := re.search(r" at (http\S+)/welcome/(\S+)", line):
                served.url, served.link = found[1], f"/welcome/{found[2]}"
            elif found := re.search(r"serves \S+ at (http\S+)", line):
                served.url = found[1]
        for _ in range(600):
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{served.url}/readyz", timeout=5).status_code == 200:
                    break
        yield served
    finally:
        process.kill()
        process.wait(30)
        reader.join(30)
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture(params=["sqlite", "postgres"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgres":
        server: postgres.Server = request.getfixturevalue("server")
        return server.fresh_url()
    return f"sqlite:///{tmp_path / 'fresh.db'}"


def test_one_command_makes_a_store_lets_the_first_person_in_and_ends_when_told(address: str) -> None:
    with serving(address) as served:
        with httpx.Client(base_url=served.url, timeout=30) as browser:
            form = browser.get(served.link).text
            csrf = re.search(r'name="csrf" value="([^"]+)"', form)
            assert csrf is not None
            fields = {"csrf": csrf[1], "name": "root", "password": PASSWORD, "again": PASSWORD}
            made = browser.post(served.link, data=fields, headers={"origin": served.url})
            assert made.status_code == 303, made.text
            assert browser.get("/api/v1/me").json()["name"] == "root"
            site = Site(store=open_store(address))
            review = site.ask()
            assert [one["id"] for one in browser.get("/api/v1/reviews").json()["reviews"]] == [review.id]
            with browser.stream("GET", "/api/v1/events") as stream:
                parts = stream.iter_text()
                text = next(parts)
                site.queue.reject(review.id, by="ben", message="no")
                while "decided" not in text:
                    text += next(parts)
                served.process.send_signal(signal.SIGTERM)
                assert "".join(parts).count("event: ") < 100  # it ends
        assert served.process.wait(30) == 0
        site.store.close()
    told = "".join(served.lines)
    assert "Traceback" not in told
    assert PASSWORD not in told
    with serving_again(address) as line:
        assert "/welcome/" not in line


@contextlib.contextmanager
def serving_again(store: str) -> Iterator[str]:
    """What a later start prints first."""
    command = [sys.executable, "-m", "guardrail", "--store", store, "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline()
        process.terminate()
        rest = process.stdout.read()
    assert "/welcome/" not in rest


def test_requests_are_logged_by_route_and_one_time_links_never(tmp_path: Path) -> None:
    with serving(f"sqlite:///{tmp_path / 'g.db'}", "--access-log") as served:
        httpx.get(f"{served.url}{served.link}", timeout=30)
        httpx.get(f"{served.url}/api/v1/reviews?tool=the-query", timeout=30)
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(30) == 0
    logged = [line for line in served.lines if "guardrail.web.access" in line]
    assert any("GET /welcome/{" in line for line in logged)
    assert any("GET /api/v1/reviews 401" in line for line in logged)
    secret = served.link.rpartition("/")[2]
    assert not any(secret in line or "the-query" in line for line in logged)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--host", "0.0.0.0"],
        ["--host", "::"],
        ["--host", "192.0.2.1"],
        ["--host", "example.com"],
        ["--host", "0.0.0.0", "--url", "http://reviews.example.com"],
        ["--host", "0.0.0.0", "--insecure"],
        ["--url", "https://reviews.example.com/path"],
        ["--url", "reviews.example.com"],
        ["--store", "memory://"],
        ["--store", "nothing://"],
        ["--policy", "POLICY"],
        ["--tls-cert", "POLICY"],
        ["--port", "99999"],
    ],
)
def test_what_would_be_unsafe_is_refused(arguments: list[str], tmp_path: Path) -> None:
    wrong = tmp_path / "policy.yaml"
    wrong.write_text("tools: nothing\n")
    filled = [str(wrong) if one == "POLICY" else one for one in arguments]
    store = [] if "--store" in filled else ["--store", f"sqlite:///{tmp_path / 'g.db'}"]
    answer = CliRunner().invoke(main, ["serve", "--port", "0", *store, *filled])
    assert answer.exit_code == 2, answer.output
    assert "Traceback" not in answer.output


def test_a_proxy_or_a_certificate_makes_it_safe(tmp_path: Path) -> None:
    file = tmp_path / "x.pem"
    nothing = {"url": None, "tls_cert": None, "tls_key": None, "insecure": False}
    check_exposure("127.0.0.1", **nothing)
    check_exposure("::1", **nothing)
    check_exposure("0.0.0.0", **{**nothing, "url": "https://reviews.example.com"})
    check_exposure("0.0.0.0", **{**nothing, "url": "https://a.example", "tls_cert": file, "tls_key": file})
    check_exposure("10.0.0.7", **{**nothing, "insecure": True})
    with pytest.raises(ConfigError, match="--url"):
        check_exposure("0.0.0.0", **{**nothing, "tls_cert": file, "tls_key": file})
    with pytest.raises(ConfigError, match="belong together"):
        check_exposure("127.0.0.1", **{**nothing, "tls_cert": file})


@pytest.mark.parametrize(
    ("host", "here"),
    [
        *((one, True) for one in ("127.0.0.1", "127.8.8.8", "::1", "localhost")),
        *((one, False) for one in ("0.0.0.0", "::", "", "10.0.0.1", "localhost.example.com", "127.0.0.1.nip.io")),
    ],
)
def test_only_this_machine_is_this_machine(host: str, here: bool) -> None:
    assert is_loopback(host) is here


def test_a_port_that_is_taken_is_told() -> None:
    with contextlib.closing(bind("127.0.0.1", 0)) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port}"):
            bind("127.0.0.1", port)


def test_a_certificate_that_is_none_is_told(tmp_path: Path) -> None:
    file = tmp_path / "x.pem"
    file.write_text("nothing")
    store = f"sqlite:///{tmp_path / 'g.db'}"
    answer = CliRunner().invoke(
        main, ["serve", "--store", store, "--port", "0", "--tls-cert", str(file), "--tls-key", str(file)]
    )
    assert answer.exit_code == 2
    assert "certificate" in answer.output
