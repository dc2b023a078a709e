"""Servers end in every way that servers end; what they had begun is ended by the next one, once."""

import re
import signal
import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.integration.notebook import open_gate
from tests.integration.server_process import PATIENCE_SECONDS, Phone, ServerProcess, run_cli

BOT = "tests.integration.notebook:app"
NUMBER = "+15551230001"
GRACE_SECONDS = 1.0
"""Of the notebook; a lease of its is 2 s."""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_an_idle_server_well(tmp_path: Path, number: signal.Signals) -> None:
    """Exit status 0, without a traceback."""
    with ServerProcess(tmp_path, app=BOT) as server:
        status = server.terminate(number)

    assert status == 0
    assert "stopped" in server.output
    assert "Traceback" not in server.output


@pytest.mark.parametrize(("text", "answer"), [("work", "done WORK"), ("think", "thought")])
def test_a_deploy_in_the_middle_goes_on_at_once(tmp_path: Path, text: str, answer: str) -> None:
    """A job or a turn that outlasts the grace is given back: the next start runs it before a lease would have ended."""
    with ServerProcess(tmp_path, app=BOT) as server:
        phone = Phone(server)
        phone.send(text, id="m1")
        if text == "work":
            phone.wait_for_reply("working")
        began = time.monotonic()
        assert server.terminate() == 0
        took = time.monotonic() - began
        open_gate(tmp_path)
        server.start()
        replies = phone.wait_for_reply(answer)

    assert took < GRACE_SECONDS + 7
    assert replies.count(answer) == 1


def test_what_ends_within_the_grace_is_not_given_back(tmp_path: Path) -> None:
    """The server waits for it, and its answer is there before the next start."""
    with ServerProcess(tmp_path, app=BOT) as server:
        phone = Phone(server)
        phone.send("think", id="m1")
        threading.Timer(0.3, open_gate, [tmp_path]).start()
        assert server.terminate() == 0
        shown = run_cli(tmp_path, "conversations", "show", NUMBER, "--store", "sqlite:///notebook.db")

    assert "thought" in shown.stdout


def test_an_open_page_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """The stream that a page reads ends by itself, cleanly."""
    ended: list[bool] = []
    opened = threading.Event()

    def read(url: str) -> None:
        with httpx.stream("GET", url, timeout=PATIENCE_SECONDS) as stream:
            for _ in stream.iter_lines():
                opened.set()
        ended.append(True)

    with ServerProcess(tmp_path, app=BOT) as server:
        reader = threading.Thread(target=read, args=[f"{server.url}/phone/{NUMBER}/events"])
        reader.start()
        assert opened.wait(PATIENCE_SECONDS)
        status = server.terminate()
        reader.join(PATIENCE_SECONDS)

    assert (status, ended) == (0, [True])
    assert "Traceback" not in server.output
    assert "exceeded" not in server.output


HANGING = """
import threading
from turnkeeper import App, Flow, Settings, Struct, Turn, seconds

class S(Struct):
    pass

flow = Flow("hanging", S, start="a")

@flow.unknown
async def hang(turn: Turn[S]) -> None:
    threading.Event().wait()

settings = Settings(lease=seconds(1), renew_every=seconds(0.25), grace=seconds(0.1))
app = App(flow, store="sqlite:///a.db", settings=settings)
"""


def test_a_handler_that_blocks_the_process_is_ended_by_force(tmp_path: Path) -> None:
    """It cannot be given back, so its lease ends by itself; the process does not stay for ever."""
    (tmp_path / "hanging.py").write_text(HANGING)
    with ServerProcess(tmp_path, app="hanging:app") as server:
        taken = threading.Thread(target=lambda: quietly(Phone(server, "a")), daemon=True)
        taken.start()
        wait_until_blocked(server)
        status = server.terminate()

    assert status == 1
    assert "stop_forced" in server.output


def quietly(phone: Phone) -> None:
    """Send something that is perhaps not answered."""
    try:
        phone.send("hello")
    except httpx.HTTPError:
        return


def wait_until_blocked(server: ServerProcess) -> None:
    """Return once the server does not answer any more."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            httpx.get(f"{server.url}/health", timeout=1)
        except httpx.TimeoutException:
            return
    raise AssertionError("the handler never blocked")


@pytest.mark.parametrize(("text", "answer"), [("work", "done WORK"), ("think", "thought")])
def test_a_killed_server_loses_nothing_and_repeats_nothing(tmp_path: Path, text: str, answer: str) -> None:
    """After kill -9 in the middle of a job or turn: when the lease is over, the next server does it, then the rest."""
    with ServerProcess(tmp_path, app=BOT) as server:
        phone = Phone(server)
        assert phone.send(text, id="m1").status_code == 202
        assert phone.send("milk", id="m2").status_code == 202
        if text == "work":
            phone.wait_for_reply("noted milk")
        server.kill()
        open_gate(tmp_path)
        server.start()
        # "accepted" if the lease was over before the worker looked: then this call takes the waiting message over.
        assert phone.send("milk", id="m2").json()["outcome"] in {"duplicate", "accepted"}
        phone.wait_for_reply(answer)
        replies = phone.wait_for_reply("noted milk")

    expected = ["working", "noted milk", "done WORK"] if text == "work" else ["thought", "noted milk"]
    assert replies == expected


def test_the_demonstration_survives_a_kill_during_plan(tmp_path: Path) -> None:
    """As the README says: killed while the cart is read, started again, the plan comes by itself, once."""
    env = {"MEALPLAN_PACE_SECONDS": "2"}
    with ServerProcess(tmp_path, command="demo", env=env) as server:
        phone = Phone(server)
        phone.send("plan", id="m1")
        phone.wait_for_status("analyzing")
        server.kill()
        server.start()
        phone.wait_for_reply("Shall we cook this?")
        phone.send("swap salmon for chicken", id="m2")
        phone.wait_for_status("modifying")
        server.kill()
        server.start()
        phone.wait_for_reply("Here is what changed")
        phone.wait_for_status("analysis_sent")
        replies = phone.replies()
        status = server.terminate()

    assert status == 0
    assert [len(re.findall(text, "\n".join(replies))) for text in ("Analyzing your cart", "Salmon out")] == [1, 1]
    assert sum("5 dinners" in reply for reply in replies) == 2
    assert sum("Here is what changed" in reply for reply in replies) == 1


def test_two_servers_share_one_file(tmp_path: Path) -> None:
    """Messages of one person go to either, with repetitions: each is applied once, in the order of acceptance."""
    open_gate(tmp_path)
    with ServerProcess(tmp_path, app=BOT) as one, ServerProcess(tmp_path, app=BOT) as other:
        phones = (Phone(one), Phone(other))
        for number in range(30):
            text = "work" if number % 10 == 5 else f"note {number}"
            assert phones[number % 2].send(text, id=f"m{number}").status_code == 202
            assert phones[(number + 1) % 2].send(text, id=f"m{number}").json()["outcome"] == "duplicate"
        phones[0].wait_for_reply("noted note 29")
        wait_until_done(phones[1], works=3)
        threads = [phone.thread() for phone in phones]
        state = phones[0].state()["state"]

    assert threads[0] == threads[1]
    assert isinstance(state, dict)
    assert state["noted"] == [f"note {number}" for number in range(30) if number % 10 != 5]
    assert state["done"] == ["WORK"] * 3
    assert [line["id"] for line in threads[0] if line["direction"] == "in"] == [f"m{number}" for number in range(30)]


def wait_until_done(phone: Phone, *, works: int) -> None:
    """Return once so many jobs are done."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while phone.replies().count("done WORK") < works:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_one_server_takes_over_from_another_that_was_killed(tmp_path: Path) -> None:
    """Nobody has to start anything: who is left goes on."""
    with ServerProcess(tmp_path, app=BOT) as one, ServerProcess(tmp_path, app=BOT) as other:
        Phone(one).send("think", id="m1")
        one.kill()
        open_gate(tmp_path)
        replies = Phone(other).wait_for_reply("thought")

    assert replies == ["thought"]


def test_the_terminal_and_the_phone_meet(tmp_path: Path) -> None:
    """A chat beside a running server is in the same conversation."""
    with ServerProcess(tmp_path, app=BOT) as server:
        phone = Phone(server, "1%20(555)%20123-0001")
        phone.send("milk", id="m1")
        phone.wait_for_reply("noted milk")
        done = run_cli(tmp_path, "chat", BOT, "--as", NUMBER, "--store", "sqlite:///notebook.db", stdin=b"eggs\n")
        thread = phone.thread()

    assert (done.returncode, done.stdout) == (0, "noted eggs\n")
    assert [line["text"] for line in thread] == ["milk", "noted milk", "eggs", "noted eggs"]


def test_a_page_hears_of_every_change(tmp_path: Path) -> None:
    """The stream says that something moved when a message comes and when its answer does."""
    with ServerProcess(tmp_path, app=BOT) as server:
        url = f"{server.url}/phone/{NUMBER}/events"
        with httpx.stream("GET", url, timeout=PATIENCE_SECONDS) as stream:
            lines = stream.iter_lines()
            next(line for line in lines if line == "event: changed")
            Phone(server).send("milk", id="m1")
            moved = next(line for line in lines if line.startswith("event:"))
            texts = Phone(server).wait_for_reply("noted milk")

    assert stream.headers["content-type"].startswith("text/event-stream")
    assert moved == "event: changed"
    assert texts == ["noted milk"]
