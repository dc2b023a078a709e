"""Several people on one number: each has a conversation of their own until somebody else speaks up."""

import pytest

from tests.unit.flow_dinners import Dinners, dinners
from tests.unit.flow_harness import Talk, World
from turnkeeper.dialogue.turn import Turn
from turnkeeper.model.message import Kind

pytestmark = pytest.mark.anyio


def member(world: World, name: str) -> Talk:
    """Return the conversation of a member."""
    return world.find(world.program.plan.conversation(world.person, member=name))


async def test_this_is_ana_leads_to_a_conversation_of_her_own() -> None:
    """She is greeted there, and what she says next is hers."""
    world = World(dinners(state_key="conversation:{phone}"))
    await world.says("plan")

    greeting = await world.says("This is Ana")
    replies = await world.says("plan")

    ana = member(world, "ana")
    assert greeting == ["Hi Ana! From now on this is your own conversation."]
    assert replies == ["Analyzing your cart…"]
    assert ana.id.key == "dinners:+15551234567:ana"
    assert ana.id.state_name == "conversation:+15551234567:ana"
    assert ana.status == "analyzing"
    assert [entry.note for entry in world.talk.entries] == ["", "forwarded", "forwarded"]


async def test_a_forwarded_message_keeps_its_id() -> None:
    """So that a provider's retry is a duplicate there too."""
    world = World(dinners())

    await world.says("This is Ana")

    assert member(world, "ana").last.inputs[0].id == world.talk.last.inputs[0].id


async def test_another_person_speaks_up() -> None:
    """Whoever said their name last is the one who speaks."""
    world = World(dinners())
    await world.says("This is Ana")
    await world.says("plan")

    greeting = await world.says("Bob here")
    await world.says("how much is it?")

    assert greeting == ["Hi Bob! From now on this is your own conversation."]
    assert [entry.intent for entry in member(world, "bob").entries] == ["introduction", "pricing"]
    assert member(world, "ana").status == "analyzing"


async def test_this_is_me_leads_back() -> None:
    """The owner of the number has no name here."""
    world = World(dinners())
    await world.says("This is Ana")

    await world.says("this is me")
    replies = await world.says("plan")

    assert replies == ["Analyzing your cart…"]
    assert world.talk.status == "analyzing"
    assert world.talk.thread.speaking == ""


async def test_a_button_belongs_to_whoever_speaks() -> None:
    """It was offered in that conversation."""
    world = World(dinners())
    await world.says("This is Ana")
    await world.says("plan")

    await world.presses("stop_job")

    assert member(world, "ana").jobs() == []


async def test_a_result_answers_in_the_conversation_that_asked() -> None:
    """Even if somebody else speaks by then; the way back is known there."""
    world = World(dinners())
    await world.says("This is Ana")
    await world.says("plan")
    ana = member(world, "ana")
    await world.says("This is Bob")

    replies = await world.ends(ana.jobs()[0], {"dinners": ["a", "b"]}, talk=ana)

    assert replies == ["2 dinners. Confirm?"]
    assert world.sent[-1].channel == "sms"
    assert world.sent[-1].to == world.person


async def test_stop_reaches_every_member() -> None:
    """What waits for any of them is cancelled, and nothing there is taken for alive."""
    world = World(dinners())
    await world.says("This is Ana")
    await world.says("plan")

    replies = await world.says("STOP")

    assert len(replies) == 1
    assert member(world, "ana").thread.jobs == ()
    assert member(world, "ana").pending == {}


async def test_without_the_policy_an_introduction_is_a_text_like_others() -> None:
    """Nobody is led anywhere unasked."""
    world = World(dinners(without="several_people"))

    replies = await world.says("This is Ana")

    assert "didn't get that" in replies[0]
    assert list(world.talks) == ["dinners:+15551234567"]


async def test_a_name_that_was_asked_for_is_an_answer() -> None:
    """Who is asked for their name in a conversation does not leave it by giving it."""
    flow = dinners()

    @flow.action("ask_name")
    async def ask_name(turn: Turn[Dinners]) -> None:
        turn.ask("What is your name?", question="name", kind="text")

    @flow.on("answer", question="name")
    async def named(turn: Turn[Dinners]) -> None:
        turn.reply(f"Thanks, {turn.slots['text']}!")

    world = World(flow)
    await world.presses("ask_name")

    replies = await world.says("My name is Ana")

    assert replies == ["Thanks, My name is Ana!"]


async def test_a_message_without_a_channel_is_answered_on_the_last_one() -> None:
    """In the member's conversation too, which never heard of it."""
    world = World(dinners())
    await world.says("plan")

    await world.says("This is Ana", channel="")

    assert world.sent[-1].text.startswith("Hi Ana")
    assert world.sent[-1].channel == "sms"


async def test_a_burst_is_forwarded_message_by_message() -> None:
    """Each stays a message of its own, so that each is deduplicated by its own id."""
    world = World(dinners())
    await world.says("This is Ana")

    await world.talk.turn(world.message("plan"), world.message("how much is it?"))

    assert [forward.message.text for forward in world.forwarded] == ["plan", "how much is it?"]
    assert all(forward.message.kind is Kind.TEXT for forward in world.forwarded)
