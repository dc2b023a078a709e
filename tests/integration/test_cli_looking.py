"""`conversations`, `dead-letters` and `graph`: readable for people, stable JSON for programs, nothing is changed."""

import json
import os
import subprocess
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from tests.integration.server_process import COMMAND, PATIENCE_SECONDS, environment, run_cli

BOT = "tests.integration.notebook:app"
STORE = ("--store", "sqlite:///a.db")
MEALS = ("--store", "sqlite:///meals.db")
NUMBER = "+15551230001"


def say(folder: Path, *lines: str, number: str = NUMBER) -> None:
    """Say something to the notebook."""
    stdin = "".join(f"{line}\n" for line in lines).encode()
    done = run_cli(folder, "chat", BOT, "--as", number, *STORE, stdin=stdin)
    assert done.returncode == 0


def show(folder: Path, person: str, *arguments: str) -> Any:
    """Return what `conversations show --json` prints."""
    done = run_cli(folder, "conversations", "show", person, "--json", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_show_prints_state_counters_and_log_by_the_users_own_names(tmp_path: Path) -> None:
    """What an operator of the meal planner asks for, letter by letter."""
    lines = b"plan\nswap salmon for chicken\nqwertz\n"
    run_cli(tmp_path, "chat", "mealplan.app:app", "--as", NUMBER, *MEALS, stdin=lines)

    view = show(tmp_path, "+1 (555) 123-0001", *MEALS)

    assert (view["conversation"], view["status"], view["version"]) == (f"mealplan:{NUMBER}", "analysis_sent", 5)
    assert (view["waiting"], view["unsent"], view["opted_out"]) == (0, 0, False)
    assert view["created_at"].endswith("Z")
    assert {"phone", "status", "created_at", "last_activity", "context", "metrics"} <= view["state"].keys()
    assert "_" not in view["state"]
    assert view["state"]["context"]["modifications"][0]["type"] == "swap"
    assert view["counters"]["modifications_count"] == 1
    assert view["counters"]["message_count"] == 3
    assert [entry["intent"] for entry in view["log"]] == ["plan", "analyze_cart", "swap", "replan", "unknown"]
    swap = view["log"][2]
    assert (swap["phone"], swap["state"], swap["message"]) == (NUMBER, "modifying", "swap salmon for chicken")
    assert swap["response_preview"].startswith("Salmon out")
    assert (swap["modifications_count"], swap["error_count"]) == (1, 0)
    assert swap["timestamp"].endswith("Z")
    assert not {"full", "delta"} & swap.keys()


def test_show_prints_a_page_for_people(tmp_path: Path) -> None:
    """Facts, state, counters and a log that lines up, whatever people wrote."""
    say(tmp_path, "[/bold] milk", "eggs and\tbread", "👍")

    done = run_cli(tmp_path, "conversations", "show", NUMBER, *STORE)

    lines = done.stdout.splitlines()
    head = lines[lines.index("log") + 1]
    column = head.index("message")
    assert lines[0].split() == ["conversation", f"notebook:{NUMBER}"]
    assert '    "[/bold] milk",' in lines
    assert [line[column:].split("  ")[0] for line in lines[-3:]] == ["[/bold] milk", "eggs and bread", "👍"]


def test_a_conversation_with_a_turn_under_way_is_shown(tmp_path: Path) -> None:
    """Accepted, not committed: there is no state yet, and a message waits."""
    with subprocess.Popen(
        [*COMMAND, "chat", BOT, "--as", NUMBER, *STORE],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdin=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        os.write(process.stdin.fileno(), b"think\n")
        deadline = time.monotonic() + PATIENCE_SECONDS
        view: Any = {"waiting": 0}
        while not view["waiting"] and time.monotonic() < deadline:
            done = run_cli(tmp_path, "conversations", "show", NUMBER, "--json", *STORE)
            view = json.loads(done.stdout) if done.returncode == 0 else view
        process.kill()

    assert (view["version"], view["state"], view["log"]) == (0, None, [])
    assert run_cli(tmp_path, "conversations", "show", NUMBER, *STORE).returncode == 0


def test_list_goes_through_all_conversations_page_by_page(tmp_path: Path) -> None:
    """Most recently changed first, each once; as JSON and as a table in which no id is cut."""
    for last in "123":
        say(tmp_path, "milk", number=f"+1555123000{last}")

    first = json.loads(run_cli(tmp_path, "conversations", "list", "--json", "--limit", "2", *STORE).stdout)
    cursor = first["cursor"]
    rest = json.loads(run_cli(tmp_path, "conversations", "list", "--json", "--cursor", cursor, *STORE).stdout)
    table = run_cli(tmp_path, "conversations", "list", "--limit", "2", *STORE).stdout.splitlines()

    assert [item["person"][-1] for item in first["conversations"] + rest["conversations"]] == ["3", "2", "1"]
    assert rest["cursor"] is None
    assert first["conversations"][0]["status"] == "open"
    assert table[0].split()[:3] == ["conversation", "status", "version"]
    assert table[1].split()[:3] == ["notebook:+15551230003", "open", "1"]
    assert table[-1] == f"more: --cursor {cursor}"


def test_list_filters_by_flow_and_status(tmp_path: Path) -> None:
    """Nothing that fits is an empty list and no error."""
    say(tmp_path, "milk")

    found = [
        json.loads(run_cli(tmp_path, "conversations", "list", "--json", *filters, *STORE).stdout)["conversations"]
        for filters in (("--status", "open"), ("--flow", "notebook"), ("--status", "closed"), ("--flow", "other"))
    ]

    assert [len(page) for page in found] == [1, 1, 0, 0]
    assert run_cli(tmp_path, "conversations", "list", "--flow", "other", *STORE).stdout == "no conversations\n"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("show", "+15551239999"), "no conversation of +15551239999"),
        (("show", NUMBER, "--member", "ana"), "no member 'ana'"),
        (("show", NUMBER, "--flow", "other"), "no conversation"),
        (("list", "--cursor", "abc"), "cursor"),
    ],
)
def test_what_is_not_there_is_one_clear_line(tmp_path: Path, arguments: tuple[str, ...], reason: str) -> None:
    """No traceback, exit status 1."""
    say(tmp_path, "milk")

    failed = run_cli(tmp_path, "conversations", *arguments, *STORE)

    (line,) = failed.stderr.splitlines()
    assert failed.returncode == 1
    assert reason in line


TWO_FLOWS = """
from tests.integration.notebook import flow
from turnkeeper import App, Flow, Struct, Turn, phone_number

class Other(Struct):
    pass

other = Flow("other", Other, start="begun", person=phone_number)

@other.unknown
async def answer(turn: Turn[Other]) -> None:
    turn.reply("other heard it")

app = App(other, flow, store="sqlite:///a.db")
"""


def test_a_person_with_several_conversations_is_asked_which(tmp_path: Path) -> None:
    """Of two flows in one store one must be named."""
    (tmp_path / "two.py").write_text(TWO_FLOWS)
    say(tmp_path, "milk")
    run_cli(tmp_path, "chat", "two:app", "--as", NUMBER, *STORE, stdin=b"milk\n")

    both = run_cli(tmp_path, "conversations", "show", NUMBER, *STORE)
    one = show(tmp_path, NUMBER, "--flow", "other", *STORE)

    assert both.returncode == 1
    assert "add --flow, one of: other, notebook" in both.stderr
    assert (one["conversation"], one["status"]) == (f"other:{NUMBER}", "begun")


@pytest.mark.parametrize("store", ["sqlite:///nothing.db", "memory://", "redis://user:hunter2@host"])
def test_looking_never_makes_a_store(tmp_path: Path, store: str) -> None:
    """A typing mistake must not look like an empty store."""
    failed = run_cli(tmp_path, "conversations", "list", "--store", store)

    (line,) = failed.stderr.splitlines()
    assert failed.returncode == 1
    assert line.startswith("turnkeeper: ")
    assert "hunter2" not in line
    assert list(tmp_path.iterdir()) == []


def test_a_dead_letter_is_listed_and_comes_back(tmp_path: Path) -> None:
    """A message that failed for good is not gone: it is shown with its reason, and redriven by its id."""
    say(tmp_path, "fail", "milk")
    listed = json.loads(run_cli(tmp_path, "dead-letters", "list", "--json", *STORE).stdout)
    table = run_cli(tmp_path, "dead-letters", "list", *STORE).stdout
    (letter,) = listed["dead_letters"]

    redriven = run_cli(tmp_path, "dead-letters", "redrive", letter["id"], *STORE)
    waiting = show(tmp_path, NUMBER, *STORE)["waiting"]
    again = run_cli(tmp_path, "dead-letters", "redrive", letter["id"], *STORE)

    assert (letter["conversation"], letter["kind"], letter["attempts"]) == (f"notebook:{NUMBER}", "message", 2)
    assert "cannot be helped" in letter["error"]
    assert letter["id"] in table
    assert (redriven.returncode, redriven.stdout) == (0, "redriven: 1 of 1; a running server takes them up\n")
    assert waiting == 1
    assert (again.returncode, again.stdout) == (1, "")


def test_no_dead_letters_is_good_news(tmp_path: Path) -> None:
    """Said in words, or an empty list."""
    say(tmp_path, "milk")

    assert run_cli(tmp_path, "dead-letters", "list", *STORE).stdout == "no dead letters\n"
    assert json.loads(run_cli(tmp_path, "dead-letters", "list", "--json", *STORE).stdout) == {
        "dead_letters": [],
        "cursor": None,
    }


def test_the_graph_is_drawn_as_text_and_as_a_picture(tmp_path: Path) -> None:
    """Mermaid on standard output, SVG into a file; no store is made."""
    text = run_cli(tmp_path, "graph", "mealplan.app:app")
    picture = run_cli(tmp_path, "graph", "mealplan.app:app", "--format", "svg", "--output", "flow.svg")

    assert text.stdout.startswith("stateDiagram-v2\n")
    assert "idle --> analyzing" in text.stdout
    assert (picture.returncode, picture.stdout) == (0, "")
    assert ET.fromstring((tmp_path / "flow.svg").read_text()).tag.endswith("svg")  # noqa: S314 - our own drawing
    assert [path.name for path in tmp_path.iterdir()] == ["flow.svg"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--format", "png"), "mermaid or svg"),
        (("--flow", "other"), "there are: mealplan"),
        (("--output", "no/such/folder.svg"), "cannot write"),
    ],
)
def test_a_graph_that_cannot_be_drawn_is_one_clear_line(
    tmp_path: Path, arguments: tuple[str, ...], reason: str
) -> None:
    """Format, flow or file is wrong."""
    failed = run_cli(tmp_path, "graph", "mealplan.app:app", *arguments)

    (line,) = failed.stderr.splitlines()
    assert failed.returncode == 1
    assert reason in line


def test_a_reader_who_had_enough_is_no_error(tmp_path: Path) -> None:
    """`turnkeeper conversations show … | head -1` prints one line and no traceback."""
    say(tmp_path, *(f"note {number}" for number in range(20)))
    command = [*COMMAND, "conversations", "show", NUMBER, "--json", *STORE]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        complaint = process.stderr.read()

    assert complaint == b""
