"""A handler that does not fit what it is declared for is found by the type checker, before anything runs."""

from pathlib import Path

import mypy.api
import pytest

SOURCES = Path(__file__).parents[2] / "src"

FLOW = """
from msgspec import Struct

from turnkeeper.dialogue.flow import Flow
from turnkeeper.dialogue.declaring.router import Router
from turnkeeper.dialogue.turn import Job, Turn
from turnkeeper.model.message import JobFailed


class Meals(Struct):
    swaps: list[str] = []


flow = Flow("mealplan", Meals, start="idle")
router = Router(Meals)
flow.include(router)


@router.job()
async def analyze(job: Job, phone: str, *, force: bool = False) -> list[str]:
    return [phone] if force else []
"""

RIGHT = """
@flow.on("plan", when="idle", to="analyzing")
async def plan(turn: Turn[Meals]) -> None:
    turn.start(analyze, turn.peer, force=True)

@flow.result(analyze, when="analyzing", to="idle")
async def analyzed(turn: Turn[Meals], dinners: list[str]) -> None:
    turn.state.swaps = dinners

@router.failed(analyze)
async def sorry(turn: Turn[Meals], error: JobFailed) -> None:
    turn.reply(error.reason)

@flow.timer("weekly")
async def weekly(turn: Turn[Meals]) -> None: ...

@flow.action("rate")
async def rate(turn: Turn[Meals], stars: int) -> None: ...

@flow.on_quiet
async def quiet(turn: Turn[Meals]) -> None: ...

@flow.unknown(when="idle")
async def unknown(turn: Turn[Meals]) -> None: ...

flow.still_working("plan", when="analyzing", job=analyze, restart=plan)
"""

WRONG = """
@flow.result(analyze)  # error
async def other_result(turn: Turn[Meals], dinners: int) -> None: ...

@flow.failed(analyze)  # error
async def no_error(turn: Turn[Meals]) -> None: ...

@flow.on("plan")  # error
def not_async(turn: Turn[Meals]) -> None: ...

@router.on("plan")  # error
async def other_state(turn: Turn[list[str]]) -> None: ...

@flow.timer("weekly")  # error
async def no_turn(stars: int) -> None: ...

@flow.on("plan")
async def plan(turn: Turn[Meals]) -> None:
    turn.start(analyze, 5)  # error
    turn.start(analyze)  # error
    await analyze(turn.peer)  # error

flow.include(Router(int))  # error
"""


def test_the_type_checker_knows_what_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results, failures, states and arguments of jobs are checked; whatever fits is accepted under `--strict`."""
    monkeypatch.setenv("MYPYPATH", str(SOURCES))
    right, wrong = tmp_path / "right.py", tmp_path / "wrong.py"
    right.write_text(FLOW + RIGHT, encoding="utf-8")
    wrong.write_text(FLOW + WRONG, encoding="utf-8")

    output, errors, _ = mypy.api.run(
        [
            "--strict",
            "--config-file=",
            "--follow-imports=silent",
            "--hide-error-context",
            f"--cache-dir={tmp_path / 'cache'}",
            str(right),
            str(wrong),
        ]
    )

    found = {tuple(line.split(":", 2)[:2]) for line in output.splitlines() if ": error: " in line}
    lines = wrong.read_text(encoding="utf-8").splitlines()
    wanted = {(str(wrong), str(number)) for number, line in enumerate(lines, start=1) if line.endswith("# error")}
    assert not errors
    assert found == wanted, output
