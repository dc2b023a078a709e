"""`conversations`, `dead-letters` and `graph`: readable for people, stable JSON for programs, nothing is changed."""

import json
import os
import re
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
    facts = dict(line.split("  ", 1) for line in lines[: lines.index("")])
    assert lines[0].split() == ["conversation", f"notebook:{NUMBER}"]
    assert facts["opted out"].strip() == "no"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d \((now|.* ago)\)", facts["last change"].strip())
    assert facts["forgotten"].strip() == "-"
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


@pytest.mark.parametrize("command", ["conversations", "dead-letters"])
def test_an_unknown_flow_is_told_with_those_that_there_are(tmp_path: Path, command: str) -> None:
    """A typing mistake does not look like an empty store: neither by the store alone nor by the application."""
    say(tmp_path, "milk")

    by_store = run_cli(tmp_path, command, "list", "--flow", "other", *STORE)
    by_app = run_cli(tmp_path, command, "list", "--flow", "other", "--app", BOT, *STORE)

    assert (by_store.returncode, by_app.returncode) == (0, 1)
    assert "of a flow 'other'; in this store there are: notebook\n" in by_store.stdout
    assert by_app.stderr == f"turnkeeper: no flow 'other' in {BOT}; there are: notebook\n"


def test_an_unknown_status_is_told_with_those_that_there_are(tmp_path: Path) -> None:
    """With how many conversations stand in each."""
    say(tmp_path, "milk")

    listed = run_cli(tmp_path, "conversations", "list", "--status", "closed", *STORE)

    assert listed.stdout == "no conversations in status 'closed'; there are: open (1)\n"


def test_the_store_of_an_application_is_looked_into(tmp_path: Path) -> None:
    """Its own, not the embedded default: what is looked into and why stands on standard error, never in the JSON."""
    run_cli(tmp_path, "chat", BOT, "--as", NUMBER, stdin=b"milk\nfail\n")
    reading = "turnkeeper: looking into sqlite:///notebook.db (declared by the application)\n"

    listed = run_cli(tmp_path, "conversations", "list", "--app", BOT)
    shown = run_cli(tmp_path, "conversations", "show", "1 (555) 123-0001", "--app", BOT)
    (letter,) = json.loads(run_cli(tmp_path, "dead-letters", "list", "--app", BOT, "--json").stdout)["dead_letters"]
    redriven = run_cli(tmp_path, "dead-letters", "redrive", letter["id"], "--app", BOT)

    assert (listed.returncode, listed.stderr) == (0, reading)
    assert f"notebook:{NUMBER}" in listed.stdout
    assert (shown.returncode, shown.stderr) == (0, reading)
    assert (redriven.returncode, redriven.stderr) == (0, reading)
    assert show(tmp_path, NUMBER, "--app", BOT)["person"] == NUMBER


def test_the_environment_beats_the_application_and_is_named(tmp_path: Path) -> None:
    """As it does when the application is served."""
    say(tmp_path, "milk")

    listed = run_cli(tmp_path, "conversations", "list", "--app", BOT, env={"TURNKEEPER_STORE": "sqlite:///a.db"})

    assert listed.stderr == "turnkeeper: looking into sqlite:///a.db (TURNKEEPER_STORE)\n"
    assert f"notebook:{NUMBER}" in listed.stdout


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((), "name the application to look into its store (--app"),
        (("--app", BOT), "started in another folder"),
        (("--store", "sqlite:///none.db"), "check --store"),
    ],
)
def test_a_store_without_a_file_says_where_it_was_looked_for(
    tmp_path: Path, arguments: tuple[str, ...], reason: str
) -> None:
    """The whole path, why this one, and what to do."""
    failed = run_cli(tmp_path, "conversations", "list", *arguments)

    (line,) = failed.stderr.splitlines()
    assert failed.returncode == 1
    assert f"there is no file {tmp_path}/" in line
    assert reason in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("show", "+15551239999"), "no conversation of +15551239999 in sqlite:///a.db (--store)"),
        (("show", "555 123 0001"), "with + and its country code"),
        (("show", NUMBER, "--member", "ana"), "no member 'ana'"),
        (("show", NUMBER, "--flow", "other"), "there are: notebook"),
        (("list", "--cursor", "abc"), "cursor"),
    ],
)
def test_what_is_not_there_is_one_clear_line(tmp_path: Path, arguments: tuple[str, ...], reason: str) -> None:
    """No traceback, exit status 1."""
    say(tmp_path, "milk")

    failed = run_cli(tmp_path, "conversations", *arguments, *STORE)

    *_, line = failed.stderr.splitlines()
    assert failed.returncode == 1
    assert reason in line
    assert "Traceback" not in failed.stderr


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


@pytest.mark.parametrize("store", ["sqlite:///nothing.db", "memory://", "redis://user:hunter2@127.0.0.1:1"])
def test_looking_never_makes_a_store(tmp_path: Path, store: str) -> None:
    """A typing mistake must not look like an empty store."""
    failed = run_cli(tmp_path, "conversations", "list", "--store", store)

    *_, line = failed.stderr.splitlines()
    assert failed.returncode == 1
    assert line.startswith("turnkeeper: ")
    assert "hunter2" not in failed.stderr
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
    """Mermaid on standard output, into a file what its name says; no store is made."""
    text = run_cli(tmp_path, "graph", "mealplan.app:app")
    picture = run_cli(tmp_path, "graph", "mealplan.app:app", "--output", "flow.svg")

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
        (("--output", "no/such/folder.svg"), "there is no folder no/such; make it first"),
        (("--output", "."), "it is a folder"),
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
    assert list(tmp_path.iterdir()) == []


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


def test_the_version_is_printed(tmp_path: Path) -> None:
    """The first thing that a report of a fault needs."""
    done = run_cli(tmp_path, "--version")

    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"turnkeeper \d+\.\d+\.\d+\S*\n", done.stdout)


@pytest.mark.parametrize(("store", "is_told"), [("sqlite:///new/a.db", True), ("sqlite:///a.db", False)])
def test_a_folder_that_a_store_makes_is_told(tmp_path: Path, store: str, *, is_told: bool) -> None:
    """It may be a typing mistake; the second time it is there and nothing is said."""
    first = run_cli(tmp_path, "chat", BOT, "--as", NUMBER, "--store", store, stdin=b"milk\n")
    again = run_cli(tmp_path, "chat", BOT, "--as", NUMBER, "--store", store, stdin=b"milk\n")

    assert (f"there is no folder {tmp_path}/new; it is made" in first.stderr) is is_told
    assert (first.returncode, again.returncode, again.stderr) == (0, 0, "")


def test_the_folder_of_the_embedded_default_is_no_news(tmp_path: Path) -> None:
    """Everybody has it."""
    done = run_cli(tmp_path, "chat", "mealplan.app:app", "--as", NUMBER, stdin=b"help\n")

    assert (done.returncode, done.stderr) == (0, "")


def test_the_terminal_is_the_browser_phone_unless_told_otherwise(tmp_path: Path) -> None:
    """Nobody needs a number to try a bot, and both show one conversation."""
    done = run_cli(tmp_path, "chat", BOT, *STORE, stdin=b"milk\n")

    assert (done.returncode, done.stdout) == (0, "noted milk\n")
    assert show(tmp_path, NUMBER, *STORE)["state"]["noted"] == ["milk"]
