"""``guardrail audit`` at the command line."""

from __future__ import annotations

import base64
import json
import sqlite3
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from guardrail.cli.main import main
from guardrail.store import SQLiteStore
from tests.support.records import review

HOSTILE = "b\u202e[red]"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "guardrail.db"
    store = SQLiteStore(path)
    for number in range(20):
        store.add_review(replace(review(f"rev-{number:06}"), tenant=HOSTILE if number % 4 == 0 else ""))
    store.close()
    return path


@pytest.fixture
def run(path: Path):
    def run(*args: object) -> Result:
        environment = {"GUARDRAIL_STORE": f"sqlite:///{path}", "GUARDRAIL_REVIEWER": "ana"}
        return CliRunner().invoke(main, ["audit", *map(str, args)], env=environment)

    return run


@pytest.fixture
def head(run, tmp_path: Path) -> Path:
    out = tmp_path / "head.json"
    assert run("head", "--out", out).exit_code == 0
    return out


def _tamper(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for trigger in ("audit_log_no_update", "audit_log_no_delete"):
            connection.execute(f"DROP TRIGGER {trigger}")
        assert connection.execute(statement).rowcount
        connection.commit()


def test_a_whole_log_is_told_to_be_whole(run, head: Path) -> None:
    told = run("verify")
    assert (told.exit_code, "20 entries checked: nothing is wrong" in told.output) == (0, True)
    assert "cut off" in told.output  # what was not checked is said
    told = run("verify", "--head", head)
    assert (told.exit_code, told.output) == (0, "20 entries checked: nothing is wrong\n")


def test_problems_are_told_with_their_place_and_meaning(run, path: Path) -> None:
    _tamper(path, "UPDATE audit_log SET by = 'eve' WHERE subject = 'rev-000004'")
    told = run("verify")
    assert told.exit_code == 5
    (line,) = [line for line in told.output.splitlines() if line.startswith("1. ")]
    assert "tenant b\\u202e[red], chain " in line
    assert "(rev-000004): edited: it does not say what it said" in line
    assert "20 entries checked: 1 problems" in told.output
    assert run("verify", "--tenant", "").exit_code == 0
    data = json.loads(run("verify", "--tenant", HOSTILE, "--json").output)
    assert data["entries"] == 5
    (problem,) = data["problems"]
    assert (problem["problem"], problem["tenant"], problem["subject"]) == ("edited", HOSTILE, "rev-000004")


def test_a_log_that_was_cut_off_is_found_with_a_head_alone(run, path: Path, head: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        shard, number = connection.execute(
            "SELECT shard, max(number) FROM audit_log WHERE tenant = '' GROUP BY shard"
        ).fetchone()
        subject = connection.execute(
            f"SELECT subject FROM audit_log WHERE tenant = '' AND shard = {shard} AND number = {number}"
        ).fetchone()[0]
    _tamper(path, f"DELETE FROM audit_log WHERE tenant = '' AND subject = '{subject}'")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM reviews WHERE id = ?", (subject,))
        connection.commit()
    assert run("verify").exit_code == 0
    told = run("verify", "--head", head)
    assert told.exit_code == 5
    assert f"chain {shard}, " in told.output
    assert "cut off: the head that was exported is further on" in told.output


def test_a_tenant_that_was_dropped_whole_is_found_with_a_head(run, path: Path, head: Path) -> None:
    _tamper(path, "DELETE FROM audit_log WHERE tenant <> ''")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM reviews WHERE tenant <> ''")
        connection.commit()
    assert run("verify").exit_code == 0
    assert run("verify", "--head", head).exit_code == 5


def test_an_exported_log_is_checked_anywhere(run, head: Path, tmp_path: Path) -> None:
    out = tmp_path / "log.jsonl"
    assert f"20 entries written to {out}" in run("export", "--out", out).output
    told = run("verify", "--file", out, "--head", head)
    assert told.exit_code == 0
    assert "Only the log was checked" in told.output
    lines = out.read_text().splitlines(keepends=True)
    out.write_text("".join(lines[:-1]))
    assert run("verify", "--file", out, "--head", head).exit_code == 5
    out.write_text("".join([lines[1], lines[0], *lines[2:]]))
    assert run("verify", "--file", out).exit_code == 5
    out.write_text("".join([*lines[:3], "{}\n"]))
    told = run("verify", "--file", out)
    assert told.exit_code == 2
    assert "line 4 of" in told.output
    assert run("verify", "--file", tmp_path / "absent").exit_code == 2
    run("export", "--out", out, "--tenant", HOSTILE)
    assert len(out.read_text().splitlines()) == 5


def test_a_seal_is_written_for_every_tenant(run) -> None:
    assert "sealed: 16 chains of 36 entries, of 2 tenants" in run("seal").output
    assert "36 entries checked: nothing is wrong" in run("verify").output
    assert "sealed: 8 chains of" in run("seal", "--tenant", HOSTILE).output


@pytest.mark.parametrize("change", ["at", "heads", "digest", "kind"])
def test_a_head_that_was_changed_is_refused(run, head: Path, change: str) -> None:
    data = json.loads(head.read_text())
    data[change] = data[change][:-1]
    head.write_text(json.dumps(data))
    told = run("verify", "--head", head)
    assert told.exit_code == 2
    assert "was changed" in told.output or "no heads" in told.output


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '{"kind": "guardrail audit heads", "version": 1, "heads": 3}'])
def test_a_file_that_is_no_head_is_refused(run, tmp_path: Path, text: str) -> None:
    file = tmp_path / "head.json"
    file.write_text(text)
    assert run("verify", "--head", file).exit_code == 2


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path, Path]:
    """A private key, its public key, and somebody else's public key."""
    pytest.importorskip("cryptography")
    from cryptography.hazmat.primitives import serialization as forms
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    private, public, other = (tmp_path / name for name in ("key.pem", "public.pem", "other.pem"))
    private.write_bytes(key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption()))
    for file, one in ((public, key), (other, Ed25519PrivateKey.generate())):
        form = forms.PublicFormat.SubjectPublicKeyInfo
        file.write_bytes(one.public_key().public_bytes(forms.Encoding.PEM, form))
    return private, public, other


def test_a_signed_head_is_its_signers(run, tmp_path: Path, keys: tuple[Path, Path, Path]) -> None:
    private, public, other = keys
    head = tmp_path / "head.json"
    assert "not signed" not in run("head", "--out", head, "--key-file", private).output
    told = run("verify", "--head", head, "--public-key", public)
    assert (told.exit_code, told.output) == (0, "20 entries checked: nothing is wrong\n")
    assert "is it yours?" in run("verify", "--head", head).output
    told = run("verify", "--head", head, "--public-key", other)
    assert told.exit_code == 2
    assert "is not signed with" in told.output


def test_a_head_that_somebody_signed_anew_is_refused(run, tmp_path: Path, keys: tuple[Path, Path, Path]) -> None:
    private, public, _ = keys
    head = tmp_path / "head.json"
    run("head", "--out", head, "--key-file", private)
    data = json.loads(head.read_text())
    for change in (
        {"signature": base64.b64encode(bytes(64)).decode()},
        {"signature": "?"},
        {"public_key": base64.b64encode(bytes(31)).decode()},
    ):
        head.write_text(json.dumps({**data, **change}))
        assert run("verify", "--head", head).exit_code == 2
    del data["signature"]
    head.write_text(json.dumps(data))
    told = run("verify", "--head", head, "--public-key", public)
    assert told.exit_code == 2
    assert "is not signed: write it with" in told.output


def test_keys_that_are_none_are_refused(run, head: Path, tmp_path: Path, keys: tuple[Path, Path, Path]) -> None:
    _, public, _ = keys
    told = run("head", "--out", tmp_path / "x.json", "--key-file", public)
    assert told.exit_code == 2
    assert "openssl genpkey -algorithm ed25519" in told.output
    assert run("head", "--out", tmp_path / "x.json", "--key-file", tmp_path / "absent").exit_code == 2
    assert not (tmp_path / "x.json").exists()
    assert run("verify", "--public-key", public).exit_code == 2


def test_without_the_extra_the_command_that_installs_it_is_told(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    told = run("head", "--out", tmp_path / "x.json", "--key-file", tmp_path / "key.pem")
    assert told.exit_code == 2
    assert "pip install 'guardrail-middleware[crypto]'" in told.output


def test_a_file_that_cannot_be_written_is_named(run, tmp_path: Path) -> None:
    for command in ("head", "export"):
        told = run(command, "--out", tmp_path / "absent" / "file")
        assert told.exit_code == 2
        assert "cannot be written" in told.output


def test_the_two_commands_of_like_name_tell_themselves_apart(run) -> None:
    told = run("--help").output
    assert "`guardrail audits`" in told
    assert "hash-chained" in told
