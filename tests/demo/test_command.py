"""``guardrail demo`` from outside: offline, in scripts, with the queue, live, and with wrong options."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from guardrail.cli.main import main
from guardrail.review import Queue
from guardrail.store import open_store
from guardrail.types import ReviewState, Route
from guardrail_langgraph.demo.session import FOLDER
from guardrail_langgraph.demo.shop import Shop
from tests.support.openai_server import OpenAIServer, agent, call


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "GUARDRAIL_STORE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def demo(*arguments, text=""):
    return CliRunner().invoke(main, ["demo", *arguments], input=text)


def customers():
    """How many customers are left in the shop of the one task that ran (6 before any tool was used)."""
    files = list(FOLDER.glob("shop-*.sqlite"))
    assert len(files) <= 1
    return Shop(files[0]).count("customers") if files else 6


def reviews(state=None):
    store = open_store("sqlite:///guardrail.db")
    try:
        return store.reviews(states=state and frozenset({state}))
    finally:
        store.close()


def test_in_a_script_reviews_are_left_pending_and_the_exit_code_is_zero(folder):
    run = subprocess.run(
        [
            sys.executable,
            "-c",
            "from guardrail.cli.main import main; main()",
            "demo",
            "--non-interactive",
            "--task",
            "delete",
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert run.returncode == 0, run.stderr
    assert "pending  review" in run.stdout
    assert "sqlite:///guardrail.db" in run.stdout
    assert [review.state for review in reviews()] == [ReviewState.PENDING]
    assert customers() == 6


def test_the_default_tasks_show_every_route():
    result = demo("--non-interactive")
    assert result.exit_code == 0, result.output
    store = open_store("sqlite:///guardrail.db")
    routes = {verdict.route for record in store.records(limit=100) for verdict in record.verdict.verdicts}
    store.close()
    assert routes == set(Route)


def test_a_viewer_who_approves_sees_the_tool_run_once():
    result = demo("--task", "delete", text="\na\n")
    assert result.exit_code == 0, result.output
    assert "delete_customer: [a] approve, [r] reject" in result.output
    assert "Nothing was decided" in result.output
    assert "Deleted customer C6" in result.output
    assert customers() == 5
    assert [review.state for review in reviews()] == [ReviewState.DONE]


def test_a_viewer_who_rejects_sees_nothing_run():
    result = demo("--task", "delete", text="r\nwe keep it\n")
    assert result.exit_code == 0, result.output
    assert "told     Not executed: rejected by a human. we keep it" in result.output
    assert customers() == 6


def test_at_the_end_of_input_the_review_stays_pending():
    result = demo("--task", "delete")
    assert result.exit_code == 0, result.output
    assert [review.state for review in reviews()] == [ReviewState.PENDING]


def test_with_the_queue_it_goes_on_when_somebody_else_decides():
    def decide():
        for _ in range(400):
            try:
                store = open_store("sqlite:///guardrail.db", create=False)
            except Exception:
                time.sleep(0.05)
                continue
            waiting = Queue(store).waiting()
            if waiting:
                Queue(store).approve(waiting[0].id, by="zoe")
            store.close()
            if waiting:
                return
            time.sleep(0.05)

    thread = threading.Thread(target=decide)
    thread.start()
    result = demo("--task", "delete", "--queue")
    thread.join()
    assert result.exit_code == 0, result.output
    assert "approve by zoe" in result.output
    assert "Deleted customer C6" in result.output


def test_a_pending_review_is_decided_and_resumed_by_other_commands():
    demo("--task", "delete", "--non-interactive")
    (review,) = reviews()
    approved = CliRunner().invoke(main, ["reviews", "approve", review.id, "--yes", "--by", "zoe"])
    assert approved.exit_code == 0, approved.output
    resumed = CliRunner().invoke(main, ["resume", "--graph", "guardrail_langgraph.demo.session:graph"])
    assert resumed.exit_code == 0, resumed.output
    assert customers() == 5
    assert reviews()[0].state is ReviewState.DONE


def test_there_is_nothing_to_resume_where_no_demo_ran():
    open_store("sqlite:///guardrail.db").close()
    result = CliRunner().invoke(main, ["resume", "--graph", "guardrail_langgraph.demo.session:graph"])
    assert result.exit_code == 2
    assert "run `guardrail demo` in this directory first" in result.output


def test_a_queue_in_memory_cannot_be_waited_for():
    result = demo("--queue", "--store", "memory://")
    assert result.exit_code == 2
    assert "name a file" in result.output


def test_hints_name_the_store_that_was_used():
    result = demo("--task", "delete", "--non-interactive", "--store", "sqlite:///other.db")
    assert "decide: guardrail --store sqlite:///other.db reviews list" in result.output


def test_the_tasks_are_listed():
    result = demo("--list")
    assert result.exit_code == 0
    assert "phone-case" in result.output


def test_a_picture_is_kept():
    assert demo("--task", "status", "--save-svg", "demo.svg").exit_code == 0
    assert "get_order" in Path("demo.svg").read_text("utf-8")


def test_a_policy_of_ones_own_is_used():
    Path("mine.yaml").write_text("default: {tier: critical}\n", encoding="utf-8")
    result = demo("--task", "status", "--policy", "mine.yaml", "--non-interactive")
    assert result.exit_code == 0, result.output
    assert reviews()[0].call.name == "get_order"


def test_live_it_asks_the_server():
    with OpenAIServer(agent(call("get_order", order_id="A108"))) as server:
        result = demo("--task", "status", "--model", "m", "--base-url", server.url)
    assert result.exit_code == 0, result.output
    assert "m, live at" in result.output
    assert "A108 of C5" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--task", "nonsense"], "nonsense"),
        (["--queue", "--non-interactive"], "choose one"),
        (["--base-url", "http://localhost:1/v1"], "add --model NAME"),
        (["--model", "m"], "set OPENAI_API_KEY"),
        (["--policy", "missing.yaml"], "missing.yaml"),
        (["--store", "nonsense"], "names no store"),
        (["--model", "m", "--base-url", "http://127.0.0.1:9/v1"], "cannot be reached"),
    ],
)
def test_what_cannot_work_is_one_message_and_exit_code_2(arguments, message):
    result = demo("--non-interactive", *arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output
