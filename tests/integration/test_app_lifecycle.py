"""An application is started once, stopped cleanly, and tells what it holds."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.notebook import SETTINGS, flow, open_gate
from tests.integration.server_process import ROOT, environment
from turnkeeper import Flow, Kind, Struct, Taken
from turnkeeper.app import MAX_ID_CHARACTERS, MAX_TEXT_CHARACTERS, App
from turnkeeper.errors import ConfigurationError, InvalidMessageError, StoreUnavailableError, StoreUnreadableError
from turnkeeper.stores.memory import MemoryStore
from turnkeeper.testing import FakeChannel

pytestmark = pytest.mark.anyio

NUMBER = "+15551230001"
PATIENCE = SETTINGS.lease * 20


@pytest.fixture
async def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[App]:
    """Run the notebook on a file."""
    monkeypatch.chdir(tmp_path)
    app = App(flow, store="sqlite:///a.db", settings=SETTINGS)
    async with app.running():
        yield app


async def test_starting_twice_is_starting_once(app: App) -> None:
    """Also at the same time: there is one worker, so nothing is done twice."""
    engine = app.engine

    await asyncio.gather(app.start(), app.start())

    assert app.engine is engine


async def test_a_start_that_failed_can_be_repeated(tmp_path: Path) -> None:
    """Somebody mends the file's place, and the same application starts."""
    (tmp_path / "a.db").mkdir()
    app = App(flow, store=f"sqlite:///{tmp_path}/a.db")
    with pytest.raises(StoreUnreadableError):
        await app.start()
    (tmp_path / "a.db").rmdir()

    async with app.running():
        handled = await app.handle(NUMBER, app.message("milk"))

    assert handled.replies == ("noted milk",)


async def test_it_goes_on_after_a_stop(app: App, tmp_path: Path) -> None:
    """What was under way is given back, and the next start takes it up without waiting for a lease to end."""
    await app.accept(NUMBER, app.message("think"))
    await app.handle(NUMBER, app.message("work on it"), within=SETTINGS.grace / 100)
    await app.stop()
    stopped = asyncio.get_running_loop().time()
    open_gate(tmp_path)

    await app.start()
    assert await app.at_rest(NUMBER, within=PATIENCE)

    assert asyncio.get_running_loop().time() - stopped < SETTINGS.lease.total_seconds()
    assert [line.text for line in await app.thread(NUMBER) if line.direction == "out"] == [
        "thought",
        "working",
        "done WORK ON IT",
    ]


async def test_stopping_twice_is_stopping_once(app: App) -> None:
    """And afterwards it says that it does not run."""
    await app.stop()
    await app.stop()

    with pytest.raises(ConfigurationError, match="not running"):
        await app.accept(NUMBER, app.message("milk"))


async def test_the_store_is_chosen_before_the_start(app: App) -> None:
    """A running application cannot be moved."""
    with pytest.raises(ConfigurationError, match="before it starts"):
        app.use_store("memory://")


@pytest.mark.parametrize(
    ("text", "message_id", "reason"),
    [
        ("", None, "empty"),
        (" \n\t", None, "empty"),
        ("\x00\x1b", None, "empty"),
        ("x" * (MAX_TEXT_CHARACTERS + 1), None, "10000 are allowed"),
        ("milk", "", "1 to 256"),
        ("milk", "x" * (MAX_ID_CHARACTERS + 1), "1 to 256"),
    ],
)
def test_what_cannot_be_a_message_is_refused(text: str, message_id: str | None, reason: str) -> None:
    """Before anything is written, with what is accepted."""
    app = App(flow, store=MemoryStore())

    with pytest.raises(InvalidMessageError, match=reason):
        app.message(text, id=message_id)


def test_a_press_needs_no_words() -> None:
    """Only texts must say something: an action's name is the application's own."""
    app = App(flow, store=MemoryStore())

    assert app.message("red", kind=Kind.ACTION).kind is Kind.ACTION


async def test_a_duplicate_gets_the_first_ones_replies(app: App) -> None:
    """Whoever never saw the answer gets it on the repetition."""
    first = await app.handle(NUMBER, app.message("milk", id="m1"))
    second = await app.handle("1 555 123 0001", app.message("milk", id="m1"))

    assert (first.outcome, second.outcome) == (Taken.ACCEPTED, Taken.DUPLICATE)
    assert first.replies == second.replies == ("noted milk",)


async def test_it_is_not_at_rest_while_work_is_under_way(app: App, tmp_path: Path) -> None:
    """A job that was started counts until its result's turn is over."""
    await app.handle(NUMBER, app.message("work on it"))
    early = await app.at_rest(NUMBER, within=SETTINGS.poll / 10)
    open_gate(tmp_path)

    assert not early
    assert await app.at_rest(NUMBER, within=PATIENCE)
    assert (await app.thread(NUMBER))[-1].text == "done WORK ON IT"


async def test_the_view_shows_what_is_committed(app: App) -> None:
    """State, status and log of a conversation; nothing of one that does not exist."""
    await app.handle(NUMBER, app.message("milk"))

    view = await app.inspect(app.conversation(NUMBER))

    assert view is not None
    assert (view.exported.status, view.exported.version) == ("open", 1)
    assert [(entry.message, entry.response_preview) for entry in view.log] == [("milk", "noted milk")]
    assert await app.inspect(app.conversation("+15551230002")) is None


class Nothing(Struct):
    """Remembers nothing."""


def test_contradictions_are_refused_when_it_is_made() -> None:
    """No flow, a name twice, or two flows whose states would have the same names in a store."""
    order, key = Flow("order", Nothing, start="s"), "order:{id}"
    first, second = Flow("first", Nothing, start="s", state_key=key), Flow("second", Nothing, start="s", state_key=key)
    with pytest.raises(ConfigurationError, match="at least one flow"):
        App(store="memory://")
    with pytest.raises(ConfigurationError, match="same name"):
        App(flow, flow, store="memory://")
    for clashing in ((first, second), (order, first)):
        with pytest.raises(ConfigurationError, match="state_key"):
            App(*clashing, store="memory://")


def test_an_unknown_flow_names_the_known_ones() -> None:
    """A conversation of a flow that is not here cannot be named."""
    app = App(flow, Flow("other", Nothing, start="s"), store="memory://")

    with pytest.raises(ConfigurationError, match="notebook, other"):
        app.conversation(NUMBER, flow="third")


@pytest.mark.parametrize(
    ("module", "strangers"),
    [
        ("turnkeeper", "starlette uvicorn phonenumbers redis typer rich httpx structlog sqlite3 fastapi"),
        ("turnkeeper.cli.main", "starlette uvicorn phonenumbers redis httpx structlog sqlite3 fastapi"),
    ],
)
def test_importing_stays_light(tmp_path: Path, module: str, strangers: str) -> None:
    """Who writes a flow, or reads `--help`, does not wait for a web server to be loaded."""
    code = f"import sys, {module}; print([name for name in {strangers.split()} if name in sys.modules])"

    # Not measured: what measures coverage imports more than we do.
    unmeasured = {name: value for name, value in environment(tmp_path).items() if not name.startswith("COVERAGE")}

    found = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=unmeasured,
        capture_output=True,
        text=True,
        check=True,
    )

    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "code",
    [
        "import turnkeeper.web",
        "from tests.integration.notebook import app; app.asgi()",
        "sys.argv = ['turnkeeper', 'serve', 'tests.integration.notebook:app']; from turnkeeper.cli import main; main()",
    ],
)
def test_a_missing_extra_is_named(tmp_path: Path, code: str) -> None:
    """Without the packages of the extra `web` the error says what to install."""
    hide = (
        "import sys, importlib.util as u; real = u.find_spec; "
        "u.find_spec = lambda name, *more: None if name in ('starlette', 'uvicorn') else real(name, *more); "
    )

    failed = subprocess.run(
        [sys.executable, "-c", hide + code],
        cwd=ROOT,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )

    assert failed.returncode == 1
    assert 'pip install "turnkeeper[web]"' in failed.stderr.splitlines()[-1]


async def test_a_message_that_comes_while_it_stops_is_to_be_sent_again() -> None:
    """It is no mistake of the sender's: nothing was written, and a provider repeats it."""

    class Late(FakeChannel):
        async def close(self) -> None:
            with pytest.raises(StoreUnavailableError, match="send the message again"):
                await stopping.accept(NUMBER, stopping.message("hello"))
            await super().close()

    channel = Late()
    stopping = App(flow, store="memory://", channels=[channel])
    async with stopping.running():
        pass

    assert channel.is_closed
