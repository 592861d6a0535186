"""What the distribution promises: cheap import, public names, whole wheels."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import guardrail
import guardrail.errors

ROOT = Path(__file__).parent.parent
HEAVY = {
    "asyncio", "click", "jsonschema", "langchain", "langchain_core", "langchain_openai", "langgraph", "numpy", "openai",
    "pydantic", "rich", "scipy", "sklearn", "sqlite3", "torch", "transformers", "yaml",
}  # fmt: skip

RUNNERS = {"hypothesis", "pytest", "pytest-asyncio", "pytest-xdist"}
"""What runs tests, and is in no way what they are about."""


def loaded_after(statement: str) -> set[str]:
    code = f"{statement}; import sys, json; print(json.dumps(sorted(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in json.loads(result.stdout)}


def test_importing_the_package_loads_only_the_standard_library() -> None:
    before = loaded_after("pass")
    loaded = loaded_after("import guardrail") - before
    assert loaded & HEAVY == set()
    assert {name for name in loaded if name not in sys.stdlib_module_names} == {"guardrail"}


ADAPTERS = [
    "guardrail_anthropic", "guardrail_langgraph", "guardrail_llama_index", "guardrail_mcp", "guardrail_openai",
    "guardrail_pydantic_ai", "guardrail_transformers",
]  # fmt: skip


@pytest.mark.parametrize("adapter", ["guardrail_langgraph", "guardrail_transformers"])
def test_importing_an_adapter_loads_no_framework(adapter: str) -> None:
    assert loaded_after(f"import {adapter}") & (HEAVY - {"asyncio"}) == set()


@pytest.mark.parametrize("package", ["guardrail", "guardrail.desk", *ADAPTERS])
def test_every_public_name_exists(package: str) -> None:
    module = importlib.import_module(package)
    assert [name for name in module.__all__ if getattr(module, name, None) is None] == []
    with pytest.raises(AttributeError, match="no attribute"):
        module.nonsense  # noqa: B018 - the access is the test


def test_every_exception_stands_in_the_tree_of_the_docstring() -> None:
    kinds = [value for value in vars(guardrail.errors).values() if isinstance(value, type)]
    tree = guardrail.errors.__doc__ or ""
    assert [kind.__name__ for kind in kinds if kind.__name__ not in tree] == []
    assert all(issubclass(kind, guardrail.errors.GuardrailError) for kind in kinds)


def test_every_adapter_is_in_the_wheel() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    packages = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    folders = ROOT / "integrations"
    if not folders.is_dir():
        pytest.skip("the checkout's folders are compared where there is a checkout")
    found = {f"integrations/{path.name}" for path in folders.iterdir() if (path / "__init__.py").is_file()}
    assert set(packages) == {"guardrail", *found}


def test_the_version_is_the_distributions() -> None:
    from importlib.metadata import version

    assert guardrail.__version__ == version("guardrail-middleware")


def test_the_lowest_versions_that_are_tested_are_those_that_are_declared() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = settings["optional-dependencies"]
    floors: dict[str, Version] = {}

    def take(lines: list[str]) -> None:
        for line in map(Requirement, lines):
            if line.name == settings["name"]:
                for extra in line.extras:
                    take(extras[extra])
            else:
                (floor,) = line.specifier
                floors[canonicalize_name(line.name)] = max(Version(floor.version), floors.get(line.name, Version("0")))

    take([*settings["dependencies"], *extras["test-doors"]])
    pins = [
        Requirement(line)
        for line in (ROOT / "constraints-lowest.txt").read_text("utf-8").splitlines()
        if line[:1] != "#"
    ]
    held = {canonicalize_name(pin.name): Version(next(iter(pin.specifier)).version) for pin in pins}
    assert held == {name: floor for name, floor in floors.items() if name not in RUNNERS}
