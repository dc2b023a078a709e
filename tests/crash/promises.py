"""What must hold of the bot after whatever happened to it: seen from the provider and from the store."""

from pathlib import Path

from tests.crash import bot
from turnkeeper import App


async def check(app: App, directory: Path) -> None:
    """Assert the promises: everything applied once and in order, every reply sent, repetitions marked."""
    view = await app.inspect(app.conversation(bot.PERSON))
    dead = await app.store.deliveries.dead()
    assert view is not None
    assert view.exported.state is not None
    state = bot.flow.check().codec.decode(view.exported.state).state

    words = [text for _, text in bot.MESSAGES]
    assert state.words == words, "every accepted message is applied once, in order"
    assert state.spelled == ["-".join(word) for word in words], "so is every step"
    assert state.lengths == [len(text) for text in words[1::2]], "every job's result is applied once, in order"
    assert dead.items == ()
    check_sent([row for row in bot.facts(directory / "sent") if isinstance(row, list)], words)


def check_sent(rows: list[list[object]], words: list[str]) -> None:
    """Assert what the provider got: all replies, no others, in order; a repetition says that it may be one."""
    sent = [(str(row[0]), str(row[1]), bool(row[2])) for row in rows]
    expected = {f"heard {text}" for text in words} | {f"that makes {n}" for n in range(1, len(words) + 1)}
    assert expected <= {text for _, text, _ in sent}, "every reply is sent"
    first: dict[str, str] = {}
    for delivery_id, text, maybe_sent in sent:
        assert maybe_sent or delivery_id not in first, f"{delivery_id} was sent again without maybe_sent"
        first.setdefault(delivery_id, text)
    assert len(first) == 2 * len(words) + len(words) // 2, "no reply was made up"
    heard = [text for text in first.values() if text.startswith("heard")]
    assert heard == [f"heard {text}" for text in words], "first deliveries are in order"
