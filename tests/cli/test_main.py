from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import click
import jsonschema
import pytest
from click.testing import CliRunner

from guardrail.cli.main import main
from guardrail.cli.plugins import COMMANDS
from guardrail.errors import ConfigError, MissingExtra, PolicyError
from guardrail.store import SQLiteStore
from guardrail.version import __version__
from tests.support.records import record

EXTRA = '''
import click
from guardrail.errors import PolicyError, MissingExtra

@click.command()
@click.option("--n", default=1)
@click.pass_context
def works(context, n):
    """Works."""
    click.echo(f"{n} {context.obj['store']}")

@click.command()
def fails():
    raise PolicyError("line 3: tier 'hihg' is not a tier\\nwrite high")

number = 7
'''


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Other packages' commands: one that works, and every way of not working."""
    (tmp_path / "extra_commands.py").write_text(EXTRA)
    (tmp_path / "extra_broken.py").write_text("1 / 0")
    (tmp_path / "extra_needs.py").write_text("import surely_not_installed")
    (tmp_path / "extra_says.py").write_text(
        "from guardrail.errors import MissingExtra\nraise MissingExtra('x', 'demo')"
    )
    monkeypatch.syspath_prepend(tmp_path)
    entries = [
        EntryPoint(name, value, COMMANDS)
        for name, value in {
            "works": "extra_commands:works",
            "fails": "extra_commands:fails",
            "number": "extra_commands:number",
            "absent": "extra_commands:absent",
            "broken": "extra_broken:command",
            "needs": "extra_needs:command",
            "says": "extra_says:command",
            "log": "extra_broken:command",
        }.items()
    ]
    monkeypatch.setattr("guardrail.cli.plugins.entry_points", lambda group: entries if group == COMMANDS else [])
    yield
    for name in [name for name in sys.modules if name.startswith("extra_")]:
        del sys.modules[name]


def test_help_lists_added_commands_without_importing_them(added) -> None:
    result = CliRunner().invoke(main, ["--help"])
    assert result.exit_code == 0
    for name in ("log", "show", "reviews", "schema", "works", "broken", "needs"):
        assert f"\n  {name} " in result.stdout
    assert not any(name.startswith("extra_") for name in sys.modules)


def test_an_added_command_runs_and_is_given_the_store(added) -> None:
    result = CliRunner().invoke(main, ["--store", "sqlite:///x.db", "works", "--n", "3"])
    assert result.stdout == "3 sqlite:///x.db\n"
    assert "Works." in CliRunner().invoke(main, ["works", "--help"]).stdout


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("absent", "has no attribute 'absent'"),
        ("number", "is not a click command"),
        ("broken", "ZeroDivisionError"),
        ("needs", "No module named 'surely_not_installed'"),
        ("says", "pip install 'guardrail-middleware[demo]'"),
        ("fails", "line 3: tier 'hihg' is not a tier\nwrite high"),
    ],
)
def test_an_added_command_that_fails_says_why(added, name: str, said: str) -> None:
    result = CliRunner().invoke(main, [name])
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stderr.startswith("Error: ")
    assert result.stdout == ""


def test_a_broken_package_breaks_no_built_in_command(added, tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "guardrail.db")
    store.add_record(record())
    store.close()
    result = CliRunner().invoke(main, ["log", "--store", store.url])
    assert (result.exit_code, "rec-000001" in result.stdout) == (0, True)


def test_a_missing_extra_of_our_own_names_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    distribution = importlib.metadata.distribution("guardrail-middleware")
    (entry,) = [one for one in distribution.entry_points if one.group == COMMANDS and one.name == "resume"]
    assert entry.dist is not None
    monkeypatch.setattr("guardrail.cli.plugins.entry_points", lambda group: [entry])
    for name in {"langgraph", *(name for name in sys.modules if name.startswith("langgraph."))}:
        monkeypatch.setitem(sys.modules, name, None)
    for name in [name for name in sys.modules if name.startswith("guardrail_langgraph")]:
        monkeypatch.delitem(sys.modules, name)
    result = CliRunner().invoke(main, ["resume", "--graph", "x:y"])
    assert result.exit_code == 2
    assert "pip install 'guardrail-middleware[langgraph]'" in result.stderr


def test_an_unknown_command(added) -> None:
    result = CliRunner().invoke(main, ["lgo"])
    assert result.exit_code == 2
    assert "lgo" in result.stderr


@pytest.mark.parametrize("error", [ConfigError("a"), PolicyError("b"), MissingExtra("c", "d")])
def test_errors_of_this_package_become_one_message(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def raises() -> None:
        raise error

    monkeypatch.setitem(main.commands, "raises", raises)
    result = CliRunner().invoke(main, ["raises"])
    assert (result.exit_code, result.stderr) == (2, f"Error: {error}\n")


def test_version() -> None:
    assert CliRunner().invoke(main, ["--version"]).stdout == f"guardrail, version {__version__}\n"


@pytest.mark.parametrize("name", ["record", "policy", "case"])
def test_schema_prints_what_is_published(name: str) -> None:
    result = CliRunner().invoke(main, ["schema", name])
    assert (result.exit_code, result.stderr) == (0, "")
    jsonschema.Draft202012Validator.check_schema(json.loads(result.stdout))


def test_schema_prints_the_newest_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guardrail.cli.schema.files", lambda package: tmp_path)
    missing = CliRunner().invoke(main, ["schema", "record"])
    assert missing.exit_code == 2
    assert "is not in this installation" in missing.stderr
    (tmp_path / "schemas").mkdir()
    for version in (2, 10, 9):
        (tmp_path / "schemas" / f"record.v{version}.json").write_text(f'{{"title": "é{version}"}}\n', encoding="utf-8")
    assert json.loads(CliRunner().invoke(main, ["schema", "record"]).stdout) == {"title": "é10"}


def test_schema_of_something_else() -> None:
    assert CliRunner().invoke(main, ["schema", "world"]).exit_code == 2


def _process(*args: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", "from guardrail.cli.main import main; main()", *args],
        capture_output=True,
        env={**os.environ, **environment},
        check=False,
    )


def test_as_a_process(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "guardrail.db")
    store.add_record(record(text="cut \ud83d"))
    store.close()
    listed = _process("log", "--json", GUARDRAIL_STORE=store.url)
    assert (listed.returncode, listed.stderr) == (0, b"")
    assert json.loads(listed.stdout)[0]["id"] == "rec-000001"
    shown = _process("show", "rec-000001", GUARDRAIL_STORE=store.url, PYTHONIOENCODING="ascii")
    assert shown.returncode == 0, shown.stderr
    assert b"as planned" in shown.stdout
    refused = _process("show", "rec-999999", GUARDRAIL_STORE=store.url)
    assert (refused.returncode, refused.stdout) == (2, b"")
    assert refused.stderr.startswith(b"Error: there is no record")


def test_the_command_line_loads_no_framework() -> None:
    code = (
        "import sys; from guardrail.cli.main import main; main(['--help'], standalone_mode=False); "
        "print([m for m in ('langchain_core', 'langgraph', 'openai', 'torch', 'transformers', 'numpy') if m in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.splitlines()[-1] == "[]"
