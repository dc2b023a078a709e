"""Corrections: "oops", "actually …", "wait" and "undo" take modifications back, one after the other."""

from datetime import timedelta

import pytest

from tests.unit.flow_dinners import Dinners, Menu, dinners
from tests.unit.flow_harness import World
from turnkeeper.dialogue.running.corrections import Correction, read_correction
from turnkeeper.dialogue.turn import Turn

pytestmark = pytest.mark.anyio

DONE = "OK, I took that back."
NOTHING = "There is nothing to take back."
QUESTION = "5 dinners. Confirm?"


async def planned() -> World:
    """Return a conversation in which the dinners were sent."""
    world = World(dinners())
    await world.says("plan")
    await world.works(world.talk.jobs()[0])
    return world


@pytest.mark.parametrize("words", ["oops", "Oops!", "wait", "actually", "undo", "undo the last one", "hey wait no"])
async def test_a_correction_takes_the_last_modification_back(words: str) -> None:
    """State, status and pending question are as they were before it."""
    world = await planned()
    await world.says("skip monday")

    replies = await world.says(words)

    assert replies == [DONE, QUESTION]
    assert world.talk.model.skipped == []
    assert world.talk.status == "analysis_sent"
    assert world.talk.last.undoes == 3
    assert world.talk.last.intent == "undo"


async def test_actually_undoes_and_then_the_rest_is_understood() -> None:
    """ "Actually, make it chicken" is a new wish in place of the last one."""
    world = await planned()
    await world.says("swap salmon for tofu")
    await world.works(world.talk.jobs()[0])

    replies = await world.says("actually, make it chicken")

    assert replies == [DONE, "Swapping for chicken."]
    assert world.talk.model.swaps == ["it->chicken"]
    assert world.talk.status == "modifying"
    assert len(world.talk.jobs()) == 1


async def test_fields_that_are_kept_are_not_taken_back() -> None:
    """Counters go on counting."""
    world = await planned()
    await world.says("skip monday")

    await world.says("oops")

    assert world.talk.model.seen == 3


async def test_undo_goes_further_back_each_time() -> None:
    """Every modification is taken back once."""
    world = await planned()
    await world.says("skip monday")
    await world.says("skip tuesday")

    first = await world.says("undo")
    after_first = list(world.talk.model.skipped)
    second = await world.says("undo")
    after_second = list(world.talk.model.skipped)
    third = await world.says("undo")

    assert (first[0], second[0], third[0]) == (DONE, DONE, NOTHING)
    assert after_first == ["monday"]
    assert after_second == []


async def test_a_new_modification_after_an_undo_is_undone_first() -> None:
    """Taking back is in the order of what still holds."""
    world = await planned()
    await world.says("skip monday")
    await world.says("skip tuesday")
    await world.says("undo")
    await world.says("skip friday")

    await world.says("undo")
    after_one = list(world.talk.model.skipped)
    await world.says("undo")

    assert after_one == ["monday"]
    assert world.talk.model.skipped == []


async def test_undoing_a_correction_brings_back_what_it_replaced() -> None:
    """It was one turn, and it is taken back as one."""
    world = await planned()
    await world.says("swap salmon for tofu")
    await world.says("actually, make it chicken")

    await world.says("oops")

    assert world.talk.model.swaps == ["salmon->tofu"]


async def test_with_nothing_to_undo_it_says_so() -> None:
    """Never silence."""
    world = await planned()

    replies = await world.says("oops")

    assert replies == [NOTHING, QUESTION]
    assert world.talk.last.note == "nothing_to_undo"


async def test_with_nothing_to_undo_the_rest_is_still_understood() -> None:
    """Then "actually" only opened a sentence."""
    world = await planned()

    replies = await world.says("actually, skip monday")

    assert replies == ["Skipping monday."]
    assert world.talk.last.undoes is None


async def test_undo_while_the_job_runs_cancels_it_and_drops_its_result() -> None:
    """A late result cannot bring back what was taken back."""
    world = await planned()
    await world.says("swap salmon for tofu")
    (job,) = world.talk.jobs()

    replies = await world.says("oops")
    still_waiting = world.talk.jobs()
    dropped = await world.ends(job, Menu(dinners=["late"]))

    assert replies == [DONE, QUESTION]
    assert still_waiting == []
    assert dropped == []
    assert world.talk.status == "analysis_sent"
    assert world.talk.model.swaps == []
    assert world.talk.last.note == "dropped"


async def test_undo_brings_a_replaced_part_back() -> None:
    """The menu before the swap was retired by the new one, and is adopted again."""
    world = await planned()
    before = world.talk.model.menu
    await world.says("swap salmon for tofu")
    await world.works(world.talk.jobs()[0])

    await world.says("oops")

    assert world.talk.model.menu == before
    assert world.talk.drafts[-1].adopted == (before.id,)
    assert before.id not in world.talk.retired


async def test_wait_before_a_question_only_asks_for_attention() -> None:
    """An aside takes nothing back."""
    world = await planned()
    await world.says("skip monday")

    replies = await world.says("wait, how much is it?")

    assert replies == ["It is free."]
    assert world.talk.model.skipped == ["monday"]


async def test_actually_before_an_answer_only_answers() -> None:
    """ "Actually, yes" says yes."""
    world = await planned()

    replies = await world.says("actually, yes")

    assert replies == ["Confirmed!"]


async def test_wait_in_front_of_a_sentence_is_no_correction() -> None:
    """What is not understood is asked about, not acted upon."""
    world = await planned()
    await world.says("skip monday")

    replies = await world.says("wait until my brother is home")

    assert "didn't get that" in replies[0]
    assert world.talk.model.skipped == ["monday"]


async def test_actually_a_day_later_takes_nothing_back() -> None:
    """It opens a new thought then; "undo" still reaches."""
    world = await planned()
    await world.says("skip monday")
    for _ in range(3):
        world.pass_time(timedelta(hours=20))
        await world.says("pricing")

    await world.says("actually, skip friday")
    after_actually = list(world.talk.model.skipped)

    assert after_actually == ["monday", "friday"]


async def test_starting_over_is_where_undo_ends() -> None:
    """What was before it belongs to another beginning."""
    world = await planned()
    await world.says("skip monday")
    await world.says("start over")

    replies = await world.says("undo")

    assert replies == [NOTHING]


async def test_undo_works_through_many_turns_and_full_states() -> None:
    """The state before is rebuilt from a full state and differences, however far back it is."""
    world = await planned()
    await world.says("skip monday")
    for _ in range(60):
        await world.says("pricing")

    replies = await world.says("undo")

    assert replies[0] == DONE
    assert world.talk.model.skipped == []


async def test_undo_cancels_what_the_modification_and_its_results_started() -> None:
    """A timer that a result set goes with the modification that led to it; a weekly one of before stays."""
    flow = dinners()

    @flow.timer("weekly")
    async def weekly(turn: Turn[Dinners]) -> None:
        turn.after(timedelta(days=7), "weekly")

    @flow.timer("nudge")
    async def nudge(turn: Turn[Dinners]) -> None:
        turn.reply("Still there?")

    @flow.action("arm")
    async def arm(turn: Turn[Dinners]) -> None:
        turn.after(timedelta(days=1), "weekly")

    @flow.action("modify", undoable=True)
    async def modify(turn: Turn[Dinners]) -> None:
        turn.after(timedelta(0), "bounce")

    @flow.timer("bounce")
    async def bounce(turn: Turn[Dinners]) -> None:
        turn.after(timedelta(days=3), "nudge")

    world = World(flow)
    await world.presses("arm")
    await world.presses("modify")
    world.pass_time(timedelta(days=1))
    await world.fires_timers()
    before = set(world.talk.timers())

    await world.says("undo")

    assert before == {"weekly", "nudge"}
    assert set(world.talk.timers()) == {"weekly"}


async def test_a_handler_may_undo_by_itself() -> None:
    """It learns what was taken back; a second time in the same turn there is nothing."""
    flow = dinners(without="corrections")
    seen: list[tuple[str, object]] = []

    @flow.on("undo")
    async def undo(turn: Turn[Dinners]) -> None:
        undone = await turn.undo()
        assert undone is not None
        seen.append((undone.message, await turn.undo()))

    world = World(flow)
    await world.says("plan")
    await world.works(world.talk.jobs()[0])
    await world.says("skip monday")

    await world.says("undo")

    assert seen == [("skip monday", None)]
    assert world.talk.model.skipped == []
    assert world.talk.last.undoes == 3


async def test_the_first_turn_of_a_conversation_can_be_undone() -> None:
    """Before it there was an empty state in the first status."""
    flow = dinners()

    @flow.action("modify", to="confirmed", undoable=True)
    async def modify(turn: Turn[Dinners]) -> None:
        turn.state.household = 5

    world = World(flow)
    await world.presses("modify")

    replies = await world.says("oops")

    assert replies == [DONE]
    assert (world.talk.model.household, world.talk.status) == (0, "idle")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("oops", Correction(rest="", is_plain=True)),
        ("Oops, wrong one!", Correction(rest="", is_plain=True)),
        ("oh no wait", Correction(rest="", is_plain=False)),
        ("actually, no mushrooms please", Correction(rest="no mushrooms please", is_plain=False)),
        ("wait, and skip monday.", Correction(rest="skip monday.", is_plain=False)),
        ("sorry, I meant chicken", Correction(rest="chicken", is_plain=True)),
        ("scratch that 🙈", Correction(rest="", is_plain=True)),
        ("I actually like it", None),
        ("no", None),
        ("the waiter was nice", None),
        ("", None),
        ("🎉", None),
    ],
)
async def test_corrections_are_told_from_other_sentences(text: str, expected: Correction | None) -> None:
    """Only the beginning of a text can take something back."""
    assert read_correction(text) == expected
