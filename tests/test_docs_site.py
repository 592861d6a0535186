"""The docs: every page is in the site's navigation, every link leads somewhere, every block and command is as it says.

Nothing of mkdocs is needed here; CI builds the site itself, strictly.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from guardrail import Policy
from guardrail.cli.main import main

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def text_of(page: str) -> str:
    return (DOCS / page).read_text("utf-8")


def prose_of(text: str) -> str:
    return FENCE.sub("", text)


def blocks(page: str, *languages: str) -> list[str]:
    return [text for language, text in FENCE.findall(text_of(page)) if language in languages]


class _Settings(yaml.SafeLoader):
    """mkdocs.yml names Python functions; here their names are enough."""


_Settings.add_multi_constructor("tag:yaml.org,2002:python/", lambda _loader, suffix, _node: suffix)


def settings() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.load((ROOT / "mkdocs.yml").read_text("utf-8"), Loader=_Settings)
    return loaded


def leaves(nav: Any) -> Iterator[str]:
    for entry in nav:
        under = next(iter(entry.values())) if isinstance(entry, dict) else entry
        if isinstance(under, str):
            yield under
        else:
            yield from leaves(under)


def test_every_page_is_in_the_navigation_once() -> None:
    assert sorted(leaves(settings()["nav"])) == PAGES


def test_there_are_four_kinds_of_pages() -> None:
    parts = [next(iter(entry)) for entry in settings()["nav"] if isinstance(entry, dict)]
    assert parts == ["Tutorial", "How-tos", "Reference", "Explanation"]


def test_nothing_is_loaded_from_elsewhere() -> None:
    told = settings()
    assert told["theme"]["font"] is False
    assert not {"extra_css", "extra_javascript", "repo_url"} & set(told)
    assert not {"analytics", "social"} & set(told["extra"])
    for page in PAGES:
        assert not re.search(r"!\[[^\]]*\]\((https?:)?//|<(img|script|link|iframe)\b", prose_of(text_of(page))), page


# links


def anchors(path: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub and the site make them."""
    found: dict[str, int] = {}
    for heading in re.findall(r"^#{1,6} (.+)$", prose_of(path.read_text("utf-8")), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", plain.strip().lower()).replace(" ", "-")
        assert slug not in found, (
            f"{path.name} has two headings {heading!r}: the site and GitHub number them differently"
        )
        found[slug] = 1
    return set(found)


def broken(path: Path) -> list[str]:
    text = re.sub(r"`[^`\n]+`", "`code`", prose_of(path.read_text("utf-8")))
    wrong = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?://|mailto:", target):
            continue
        place, _, anchor = target.partition("#")
        at = (path.parent / place).resolve() if place else path
        there = not place.startswith("/") and at.exists()
        if not there or (anchor and (at.suffix != ".md" or anchor not in anchors(at))):
            wrong.append(target)
    return wrong


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    assert broken(DOCS / page) == []


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    (tmp_path / "b.md").write_text("# B\n\n## What it `is`\n", encoding="utf-8")
    page = tmp_path / "a.md"
    page.write_text(
        "# A\n\n[x](b.md) [x](b.md#what-it-is) [x](#a) [x](https://x.test) [1](c.md) [2](b.md#no) [3](#b) ![4](p.png)",
        encoding="utf-8",
    )
    assert broken(page) == ["c.md", "b.md#no", "#b", "p.png"]


@pytest.mark.parametrize("page", PAGES)
def test_lists_are_lists_on_the_site_too(page: str) -> None:
    """Python-Markdown wants an empty line before a list, and four spaces in one; GitHub does not."""
    lines = prose_of(text_of(page)).split("\n")
    item = re.compile(r"([-*]|\d+\.) ")
    for before, line in pairwise(lines):
        if item.match(line):
            assert not before.strip() or item.match(before) or before.startswith("  "), line
        assert not re.match(r" {1,3}([-*]|\d+\.) ", line), line


def test_only_the_reference_has_lines_that_mkdocs_fills_in() -> None:
    for page in PAGES:
        filled = re.search(r"^:::|^<!-- (commands|schema|names)", text_of(page), re.MULTILINE)
        assert bool(filled) == page.startswith("reference/"), page


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith("reference/")])
def test_the_reference_is_of_what_there_is(page: str) -> None:
    if page.endswith(("commands.md", "schemas.md")):
        return
    modules = re.findall(r"^<!-- names ([\w.]+) -->$", text_of(page), re.MULTILINE)
    assert modules
    for module in modules:
        exported = import_module(module)
        assert all(name in dir(exported) or hasattr(exported, name) for name in exported.__all__)


def test_the_reference_has_every_schema() -> None:
    command = main.commands["schema"]
    (choice,) = [one.type for one in command.params if isinstance(one.type, click.Choice)]
    named = re.findall(r"^<!-- schema (\w+) -->$", text_of("reference/schemas.md"), re.MULTILINE)
    assert sorted([*named, "api"]) == sorted(choice.choices)


# commands and policies


def commands_in(page: str) -> Iterator[str]:
    text = text_of(page)
    for line in re.findall(r"`(guardrail [^`\n]+)`", prose_of(text)):
        yield line
    for language, block in FENCE.findall(text):
        if language in ("", "sh"):
            joined = block.replace("\\\n", " ")
            for line in re.findall(r"^ *(?:\w+=\S+ )*(guardrail .*)$", joined, re.MULTILINE):
                yield from re.split(r" (?:&&|\|) ", line)


def check_command(line: str) -> None:
    """Its words lead to a command, and its options are that command's or one's above it.

    Raises:
        LookupError: they do not.
    """
    words = shlex.split(line, comments=True)[1:]
    command: Any = main
    known = {name for one in main.params for name in (*one.opts, *one.secondary_opts)} | {"--help", "-h"}
    context = click.Context(main, info_name="guardrail")
    taken = False
    for at, word in enumerate(words):
        if word in ("&&", "|", ">", "<"):
            return
        if word.startswith("-"):
            if word.partition("=")[0] not in known and not re.fullmatch(r"-\d+", word):
                raise LookupError(f"{line}: no option {word}")
            taken = word == "--store"
        elif taken:
            taken = False
        elif isinstance(command, click.Group):
            if re.fullmatch(r"[A-Z.]+|\.\.\.|…", word):
                return
            try:
                _, command, _ = command.resolve_command(context, words[at:])
            except click.UsageError as error:
                raise LookupError(f"{line}: {error.message}") from None
            known |= {name for one in command.params for name in (*one.opts, *one.secondary_opts)}


@pytest.mark.parametrize("page", PAGES)
def test_every_command_is_there_with_its_options(page: str) -> None:
    for line in commands_in(page):
        check_command(line)


@pytest.mark.parametrize("line", ["guardrail revues list", "guardrail reviews lst", "guardrail serve --prot 1"])
def test_a_command_that_is_not_there_is_found(line: str) -> None:
    with pytest.raises(LookupError):
        check_command(line)


POLICY_KEYS = {"default", "tools", "tiers", "budget", "redaction", "floods"}
POLICIES = [
    pytest.param(page, block, id=f"{page}-{number}")
    for page in PAGES
    for number, block in enumerate(blocks(page, "yaml"))
    if POLICY_KEYS & set(yaml.safe_load(block) or ())
]


@pytest.mark.parametrize(("page", "block"), POLICIES)
def test_every_policy_loads(page: str, block: str) -> None:
    told = yaml.safe_load(block)
    for named in ("risk_model", "calibration"):  # files beside it, which its page makes or tells of
        told.pop(named, None)
    if any("max_risk" in tier for tier in told.get("tiers", {}).values()):
        return  # means nothing without its risk model; tests/policy loads that one
    assert Policy.parse(told).version


# what runs


def test_the_cases_of_entropy_come_out_as_they_say(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = blocks("entropy.md", "python")
    exec(compile(block, "entropy.md", "exec"), {})
    assert capsys.readouterr().out.splitlines() == re.findall(r"^tell\(.*\)  # (.+)$", block, re.MULTILINE)


def test_the_numbers_of_entropy_are_those_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    rows = [line for line in text_of("entropy.md").splitlines() if line.startswith("| `")]
    assert len(rows) == 7
    for row in rows:
        assert row.removesuffix("|") in readme
    for said in ("162 recorded plans", "22 %", "7 to 14 %", "0.007 before", "0.074 after"):
        assert said in readme
        assert said in text_of("entropy.md")
