"""Every text that the flow says by itself can be replaced."""

from datetime import timedelta

import pytest

from tests.unit.flow_harness import World
from turnkeeper.dialogue.flow import Flow
from turnkeeper.dialogue.turn import Job, Turn
from turnkeeper.dialogue.understanding.intents import Intent
from turnkeeper.dialogue.wording import Texts, fill
from turnkeeper.model.message import JobFailed
from turnkeeper.model.struct import Struct

pytestmark = pytest.mark.anyio


class Notes(Struct):
    """A state with something to undo."""

    notes: list[str] = []


TEXTS = Texts(
    can_say="Sag {words}.",
    late_question="{go_on} oder {new}?",
    late_repeat="Du: {text}",
    reminder="Wo: {status}",
    no_help="Frag einfach.",
    opted_out="Tschüss.",
    opted_in="Hallo wieder.",
    unclear="Wie bitte? {hints}",
    did_you_mean="Meinst du {guesses}?",
    refused="Geht nicht. {hints}",
    buried="Kaputt.",
)


def german() -> World:
    """Return a flow in which every text is the application's own."""
    intents = (
        Intent("work", ("arbeite",)),
        Intent("note", ("notiz {what}",), label="eine Notiz"),
        Intent("later", ("später bitte schön",)),
        Intent("undo", ("zurück",)),
        Intent("reset", ("von vorn",)),
        Intent("help", ("hilfe",)),
        Intent("continue", ("weiter",)),
        Intent("new", ("neu",)),
    )
    flow = Flow("german", Notes, start="idle", intents=intents, texts=TEXTS)

    @flow.job()
    async def long_work(job: Job) -> str:
        return job.name

    @flow.on("work", when="idle", to="busy", help="ARBEITE: los")
    async def work(turn: Turn[Notes]) -> None:
        turn.start(long_work)

    @flow.result(long_work, when="busy", to="idle")
    async def worked(turn: Turn[Notes], name: str) -> None:
        turn.state.notes.append(name)

    @flow.failed(long_work, when="busy", to="idle")
    async def failed(turn: Turn[Notes], error: JobFailed) -> None:
        turn.state.notes.append(error.reason)

    @flow.on("note", undoable=True)
    async def note(turn: Turn[Notes]) -> None:
        turn.state.notes.append(turn.slots["what"])

    @flow.on("later", when="busy", to="idle")
    async def later(turn: Turn[Notes]) -> None:
        turn.cancel_jobs()

    flow.still_working("work", when="busy", job=long_work, restart=work, reply="Gleich.")
    flow.start_over("reset", to="idle", reply="Von vorn.")
    flow.corrections(intent="undo", reply="{message} ist zurück.", nothing="Nichts da.")
    flow.several_people(greeting="Hallo {name}!")
    flow.late_reply(resting=())
    flow.help(intro="")
    return World(flow)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (["arbeite", "arbeite"], "Gleich."),
        (["von vorn"], "Von vorn."),
        (["notiz Milch", "zurück"], "notiz Milch ist zurück."),
        (["zurück"], "Nichts da."),
        (["This is Ana"], "Hallo Ana!"),
        (["xyzzy"], "Wie bitte? Sag ARBEITE."),
        (["später bitte schön"], "Geht nicht. Sag ARBEITE."),
        (["arbeite", "hilfe"], "Frag einfach."),
        (["STOP"], "Tschüss."),
        (["STOP", "START"], "Hallo wieder."),
    ],
)
async def test_a_text_is_the_applications_own(said: list[str], expected: str) -> None:
    """Nothing is said in words that the flow did not choose."""
    world = german()

    replies = [reply for words in said for reply in await world.says(words)]

    assert replies[-1] == expected


async def test_the_texts_of_a_late_reply_are_its_own() -> None:
    """Question, reminder and what was held back."""
    world = german()
    await world.says("hilfe")
    world.pass_time(timedelta(hours=30))

    asked = await world.says("notiz {text}")
    replies = await world.says("weiter")

    assert asked == ["CONTINUE oder NEW?"]
    assert replies == ["Wo: idle", "Du: notiz {text}"]


async def test_what_a_person_wrote_is_never_a_template() -> None:
    """A placeholder in a value stays what it is; one that nobody knows stays too."""
    assert fill("{text} {other}", text="{text} {hints}") == "{text} {hints} {other}"
