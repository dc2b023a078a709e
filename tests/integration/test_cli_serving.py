"""`turnkeeper serve` and `demo`: what is wrong is one clear line, and the browser phone stays on this machine."""

import contextlib
import json
import socket
from pathlib import Path

import httpx
import pytest

from tests.integration.server_process import Phone, ServerProcess, run_cli

BOT = "tests.integration.notebook:app"

MODULES = {
    "broken.py": "import turnkeeper\n\nsecret = 1 / 0\n",
    "syntax.py": "def (:\n",
    "needs.py": "import surely_not_installed\n",
    "nested.py": "from turnkeeper import nothing_of_that_name\n",
    "empty.py": "",
    "notapp.py": "app = 5\n",
    "wrong.py": (
        "from turnkeeper import App, Flow, Struct, Turn\n"
        "class S(Struct): pass\n"
        "flow = Flow('wrong', S, start='a')\n"
        "@flow.on('go', when='nowhere')\n"
        "async def go(turn: Turn[S]) -> None: ...\n"
        "app = App(flow, store='memory://')\n"
    ),
}


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_it_serves_and_says_where_and_on_what(tmp_path: Path, command: str) -> None:
    """The start-up lines name application, address, store, what it may lose, and the phone."""
    with ServerProcess(tmp_path, app=BOT, command=command) as server:
        health = httpx.get(f"{server.url}/health")
        page = httpx.get(f"{server.url}/", follow_redirects=True)
        server.wait_for_line("phone  .*/phone")

    assert health.status_code == 200
    assert "text/html" in page.headers["content-type"]
    assert "store       sqlite:///notebook.db  (declared by the application)" in server.output
    assert "durability  disk: may lose nothing that was acknowledged" in server.output
    assert (tmp_path / "notebook.db").exists()


def test_the_demonstration_says_what_to_try(tmp_path: Path) -> None:
    """In words that come from the flow."""
    with ServerProcess(tmp_path, app=BOT, command="demo") as server:
        server.wait_for_line("Ctrl-C")

    assert f'Open {server.url}/ and say "work".' in server.output


def test_the_embedded_default_lies_in_its_own_folder(tmp_path: Path) -> None:
    """Without any setting: a SQLite file under .turnkeeper."""
    with ServerProcess(tmp_path) as server:
        Phone(server).send("help")

    assert "(embedded default)" in server.output
    assert (tmp_path / ".turnkeeper/turnkeeper.db").exists()


@pytest.mark.parametrize(
    ("env", "reason"),
    [
        ({"REDIS_URL": "redis://u:hunter2@cache", "REDIS_ENABLED": "false"}, "REDIS_ENABLED=false"),
        ({"REDIS_URL": "redis://u:hunter2@cache", "TURNKEEPER_STORE": "sqlite:///env.db"}, "(TURNKEEPER_STORE)"),
    ],
)
def test_the_start_up_line_says_why_this_store(tmp_path: Path, env: dict[str, str], reason: str) -> None:
    """Somebody who wonders where the conversations are finds out."""
    with ServerProcess(tmp_path, env=env) as server:
        pass

    assert reason in server.output
    assert "hunter2" not in server.output


@pytest.mark.parametrize(
    "env",
    [
        {"REDIS_URL": "redis://user:hunter2@127.0.0.1:1"},
        {"TURNKEEPER_STORE": "rediss://user:hunter2@127.0.0.1:1"},
    ],
)
def test_a_redis_that_cannot_be_reached_is_told(tmp_path: Path, env: dict[str, str]) -> None:
    """Nothing falls back to another store in silence, where conversations would disappear; no password is shown."""
    failed = run_cli(tmp_path, "serve", "mealplan.app:app", "--port", "0", env=env)

    assert failed.returncode == 1
    assert failed.stderr.startswith("turnkeeper: ")
    assert "127.0.0.1:1 cannot be reached" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert "hunter2" not in failed.stdout + failed.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("app", "reason"),
    [
        ("nothing_here:app", "no module 'nothing_here'"),
        ("mealplan.nothing:app", "no module 'mealplan.nothing'"),
        ("mealplan", "write module:attribute, such as mealplan:app"),
        ("bots/notebook.py:bot", "write module:attribute, such as bots.notebook:bot"),
        ("notapp.py", "such as notapp:app"),
        ("./some/bot.py", "such as some.bot:app"),
        (":app", "write module:attribute"),
        ("mealplan.flow:flow", "is a Flow and no App; make one"),
        ("mealplan.app:App", "is a type and no App; there is mealplan.app:app"),
        ("mealplan.app:other", "there is mealplan.app:app"),
        ("notapp:app", "is a int and no App"),
        ("empty:app", "make one: app = App"),
        ("broken:app", "broken.py:3"),
        ("syntax:app", "syntax.py:1"),
        ("needs:app", "surely_not_installed"),
        ("nested:app", "nothing_of_that_name"),
        ("wrong:app", "wrong.py:4"),
    ],
)
def test_an_application_that_cannot_be_loaded_is_told_without_a_traceback(
    tmp_path: Path, app: str, reason: str
) -> None:
    """What is wrong and where, for whoever deployed it."""
    for name, text in MODULES.items():
        (tmp_path / name).write_text(text)

    failed = run_cli(tmp_path, "serve", app, "--port", "0")

    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr.startswith("turnkeeper: ")
    assert reason in failed.stderr
    assert "Traceback" not in failed.stderr


def test_a_port_in_use_is_one_clear_line(tmp_path: Path) -> None:
    """It says what to do; the store was not touched."""
    with contextlib.closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        failed = run_cli(tmp_path, "serve", BOT, "--port", str(port))

    (line,) = failed.stderr.splitlines()
    assert failed.returncode == 1
    assert f"cannot listen on 127.0.0.1 port {port}: Address already in use" in line
    assert "--port" in line
    assert not (tmp_path / "notebook.db").exists()


@pytest.mark.parametrize("host", ["no.such.host.invalid", "203.0.113.7", "x" * 300])
def test_a_host_that_is_not_here_is_one_clear_line(tmp_path: Path, host: str) -> None:
    """A name that nobody knows, an address of another machine, no name at all."""
    failed = run_cli(tmp_path, "serve", BOT, "--port", "0", "--host", host)

    (line,) = failed.stderr.splitlines()
    assert failed.returncode == 1
    assert "cannot listen on" in line


@pytest.mark.parametrize(("arguments", "has_phone"), [((), False), (("--phone",), True)])
def test_beyond_this_machine_the_phone_needs_a_switch(
    tmp_path: Path, *, arguments: tuple[str, ...], has_phone: bool
) -> None:
    """On an address that others reach there is no phone; with the switch there is one, and a warning."""
    with ServerProcess(tmp_path, *arguments, "--host", "0.0.0.0", app=BOT) as server:  # noqa: S104 - that is the point
        answer = httpx.get(f"{server.url}/phone", headers={"Host": "demo.example"})

    assert (answer.status_code == 200) is has_phone
    assert ("WARNING" in server.output and "no login" in server.output) is has_phone


def test_the_phone_can_be_left_out(tmp_path: Path) -> None:
    """Also on this machine; health stays."""
    with ServerProcess(tmp_path, "--no-phone", app=BOT) as server:
        phone = httpx.get(f"{server.url}/phone")
        health = httpx.get(f"{server.url}/health")

    assert (phone.status_code, health.status_code) == (404, 200)


def test_a_foreign_name_does_not_reach_the_phone(tmp_path: Path) -> None:
    """On this machine, without the switch, a page elsewhere cannot speak for anybody."""
    with ServerProcess(tmp_path, app=BOT) as server:
        answer = httpx.get(f"{server.url}/phone", headers={"Host": "evil.example"})

    assert answer.status_code == 403


def test_the_log_is_json_on_request_and_names_nobody(tmp_path: Path) -> None:
    """A handler that fails is logged with its traceback, and without the person's number."""
    with ServerProcess(tmp_path, "--log-format", "json", app=BOT) as server:
        Phone(server, "+15551234567").send("fail")
        server.wait_for_line("handler_failed")
        server.wait_for_line("handler_failed.*\n")

    events = [json.loads(line) for line in server.output.splitlines() if line.startswith("{")]
    failed = next(event for event in events if event["event"] == "handler_failed")
    assert failed["level"] == "error"
    assert "cannot be helped" in failed["exception"]
    assert "15551234567" not in server.output


def test_a_wrong_log_format_is_one_clear_line(tmp_path: Path) -> None:
    """With what is accepted."""
    failed = run_cli(tmp_path, "serve", BOT, "--log-format", "xml")

    assert (failed.returncode, failed.stderr) == (1, "turnkeeper: --log-format is text or json, not 'xml'\n")


def test_help_lists_every_command(tmp_path: Path) -> None:
    """And ends well."""
    done = run_cli(tmp_path, "--help")

    assert done.returncode == 0
    for command in ("serve", "demo", "chat", "graph", "conversations", "dead-letters"):
        assert command in done.stdout


def test_wrong_usage_ends_with_two(tmp_path: Path) -> None:
    """As shells expect it."""
    assert run_cli(tmp_path, "serve").returncode == 2
    assert run_cli(tmp_path, "serve", BOT, "--port", "99999").returncode == 2
    assert run_cli(tmp_path, "nothing").returncode == 2
