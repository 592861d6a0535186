"""What docs/signals.md says is true: its table is the catalogue, its example runs, its reasons are given."""

from __future__ import annotations

import contextlib
import inspect
import io
import re
import tomllib
from pathlib import Path

from guardrail import catalogue
from guardrail.signals import logprob, top_tokens
from guardrail.types import Need

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "signals.md").read_text("utf-8")


def rows(heading: str) -> list[list[str]]:
    """The table under a line that starts so."""
    lines = TEXT[TEXT.index(f"\n| {heading}") :].split("\n\n")[0].strip().splitlines()[2:]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]


def test_the_table_is_the_catalogue() -> None:
    assert [row[:4] for row in rows("signal ")] == [
        [info.name, info.unit, str(info.safer), ", ".join(sorted(info.needs))] for info in catalogue.BUILT_IN.values()
    ]


def test_sources_are_the_catalogues() -> None:
    for (*_, said), info in zip(rows("signal "), catalogue.BUILT_IN.values(), strict=True):
        named = re.sub(r", arXiv [\d.]+", "", info.source)
        assert said == ("the same" if info.name in ("logprob_min", "logprob_sum") else named)


def test_every_need_is_explained() -> None:
    assert [row[0] for row in rows("need ")] == [str(need) for need in (Need.LOGPROBS, Need.TOP_LOGPROBS, Need.QUESTION, Need.SAMPLES, Need.SAMPLE_LOGPROBS, Need.AGREEMENT, Need.MEANINGS, Need.ARGUMENTS)]  # fmt: skip
    assert {row[0] for row in rows("need ")} == {str(need) for need in Need}


def test_the_models_own_word_is_named_as_such() -> None:
    own = [f"`{info.name}`" for info in catalogue.BUILT_IN.values() if info.self_reported]
    assert f"The model's own word ({', '.join(own)}) may not be a tier's only signal." in TEXT


def test_every_reason_is_one_that_is_given() -> None:
    code = inspect.getsource(logprob) + inspect.getsource(top_tokens)
    for reason, _ in rows("missing because"):
        assert reason.replace("-9999", "{STAND_IN:.0f}") in code


def test_the_example_runs_and_its_entry_point_names_the_class() -> None:
    (source,) = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
    (toml,) = re.findall(r"```toml\n(.*?)```", TEXT, flags=re.DOTALL)
    namespace: dict[str, object] = {}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(source, "docs/signals.md", "exec"), namespace)
    assert printed.getvalue() == "0.5\n"
    (entry,) = tomllib.loads(toml)["project"]["entry-points"][catalogue.GROUP].items()
    assert entry[1].rpartition(":")[2] in namespace
    assert namespace["EmptyArguments"].info.name == entry[0]


def test_the_package_that_it_links_to_is_there() -> None:
    for link in re.findall(r"\]\(([^)]+)\)", TEXT):
        assert (ROOT / "docs" / link).exists()
