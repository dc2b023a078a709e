"""The Telegram channel, against Telegram's own two best-known libraries and a Bot API on loopback."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import telegram
import uvicorn
from aiogram import types
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from turnkeeper.channels.telegram import Accepted, Telegram, Update
from turnkeeper.errors import ConfigurationError, StoreUnavailableError
from turnkeeper.model.message import Button, Kind, Message, Reply
from turnkeeper.ports.channel import Outgoing, SendOutcome
from turnkeeper.ports.webhook import Arrival, WebhookRefusedError, WebhookRequest, WebhookUnreadableError

pytestmark = pytest.mark.anyio

TOKEN = "42:TEST-token"
SECRET = "a-secret_1"


class BotApi:
    """A server that answers as the Bot API does, with what a test wants next, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.answers: list[tuple[int, bytes]] = []
        self.url = ""
        self.hangs = False

    async def answer(self, request: Request) -> Response:
        """Take one call."""
        self.asked.append((request.path_params["method"], await request.json()))
        if self.hangs:
            await asyncio.Event().wait()
        status, body = self.answers.pop(0) if self.answers else (200, b'{"ok": true, "result": {"message_id": 7}}')
        return Response(body, status_code=status, media_type="application/json")


@pytest.fixture
async def api() -> AsyncIterator[BotApi]:
    """Return a Bot API on a free port."""
    bot_api = BotApi()
    routes = [Route("/bot{token}/{method}", bot_api.answer, methods=["POST"])]
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), port=0, log_level="error", lifespan="off"))
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - it has no event
        await asyncio.sleep(0.01)
    bot_api.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    yield bot_api
    server.should_exit = server.force_exit = True
    await running


def route(update: Update) -> Arrival | None:
    """Give every click to the order that its data names."""
    if update.callback_query is None:
        return None
    order, _, action = update.callback_query.data.partition(":")
    return Arrival(person=order, message=Message(id=str(update.update_id), kind=Kind.ACTION, text=action))


@pytest.fixture
async def bot(api: BotApi) -> AsyncIterator[Telegram]:
    """Return the channel under test."""
    channel = Telegram(TOKEN, secret=SECRET, route=route, api=api.url, timeout=timedelta(seconds=0.3))
    yield channel
    await channel.close()


def out(text: str = "hello", **fields: Any) -> Outgoing:
    """Return a reply on its way to a group."""
    return Outgoing(id="r1", reply=Reply(channel="telegram", to=fields.pop("to", "-1001"), text=text, **fields))


def request(update: object, *, secret: str = SECRET) -> WebhookRequest:
    """Return an update as it comes in."""
    body = update if isinstance(update, bytes) else json.dumps(update).encode()
    return WebhookRequest(headers={"x-telegram-bot-api-secret-token": secret}, query={}, params={}, body=body)


def click(data: str = "5866:take") -> dict[str, Any]:
    """Return an update with a click, as the Bot API documents it."""
    return {
        "update_id": 9001,
        "callback_query": {
            "id": "4382bfdwdsb323b2d9",
            "from": {"id": 11, "is_bot": False, "first_name": "Zoë", "language_code": "de"},
            "message": {
                "message_id": 5,
                "date": 1767225600,
                "chat": {"id": -1001, "type": "supergroup", "title": "Couriers"},
                "text": "dishbee #26",
                "from": {"id": 42, "is_bot": True, "first_name": "Bot"},
            },
            "chat_instance": "-1",
            "data": data,
        },
    }


async def test_an_update_is_read_as_the_official_libraries_read_it(bot: Telegram) -> None:
    """The fields that are used agree with python-telegram-bot's and aiogram's."""
    import msgspec

    mine = msgspec.json.decode(json.dumps(click()), type=Update).callback_query
    ptb = telegram.Update.de_json(click(), None).callback_query
    aio = types.Update.model_validate(click()).callback_query

    assert mine is not None
    assert mine.message is not None
    assert ptb is not None
    assert aio is not None
    for theirs in (ptb, aio):
        assert (mine.id, mine.data, mine.sender.id) == (theirs.id, theirs.data, theirs.from_user.id)
        assert theirs.message is not None
        assert (mine.message.message_id, mine.message.chat.id) == (theirs.message.message_id, theirs.message.chat.id)
    assert bot.read(request(click())) == (
        Arrival(person="5866", message=Message(id="9001", kind=Kind.ACTION, text="take")),
    )


async def test_an_old_message_that_the_bot_cannot_see_any_more_is_no_obstacle(bot: Telegram) -> None:
    """Telegram then sends a message with date 0, or none."""
    old, none = click(), click()
    old["callback_query"]["message"] = {"message_id": 5, "date": 0, "chat": {"id": -1001, "type": "supergroup"}}
    del none["callback_query"]["message"]

    assert len(bot.read(request(old))) == len(bot.read(request(none))) == 1


@pytest.mark.parametrize("secret", ["", "a-secret_", "a-secret_1 ", "ä"])
async def test_an_update_without_the_secret_is_refused(bot: Telegram, secret: str) -> None:
    """And the reason does not repeat it."""
    with pytest.raises(WebhookRefusedError, match="secret token") as refused:
        bot.read(request(click(), secret=secret))

    assert refused.value.status == 401
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"update_id": "x"}', b"\xff", b"[" * 5000])
async def test_an_update_that_makes_no_sense_is_told(bot: Telegram, body: bytes) -> None:
    """It is from Telegram, so repeating it would not help."""
    with pytest.raises(WebhookUnreadableError):
        bot.read(request(body))


async def test_kinds_of_updates_that_nobody_reads_are_passed_by(bot: Telegram) -> None:
    """A poll, a member that joined, what the API has next year."""
    assert bot.read(request({"update_id": 1, "poll": {"id": "x"}, "next_year": []})) == ()


async def test_a_message_with_buttons_is_what_telegram_takes(bot: Telegram, api: BotApi) -> None:
    """Its library reads the same keyboard from it."""
    sent = await bot.send(out("dishbee #26", buttons=(Button(text="Take ✅", data="5866:take:v1"),)))

    method, content = api.asked[0]
    assert (sent.outcome, sent.provider_id, method) == (SendOutcome.ACCEPTED, "7", "sendMessage")
    markup = types.InlineKeyboardMarkup.model_validate(content["reply_markup"])
    assert markup.inline_keyboard[0][0].callback_data == "5866:take:v1"
    assert (content["chat_id"], content["text"]) == ("-1001", "dishbee #26")


async def test_a_reply_can_take_the_place_of_an_earlier_one(bot: Telegram, api: BotApi) -> None:
    """Its buttons too; if nothing changed it counts as sent; if the message is gone it is sent anew."""
    edited = await bot.send(out("new text", edits="7"))
    api.answers = [(400, b'{"ok": false, "error_code": 400, "description": "Bad Request: message is not modified"}')]
    unchanged = await bot.send(out("new text", edits="7"))
    api.answers = [(400, b'{"ok": false, "error_code": 400, "description": "Bad Request: message to edit not found"}')]
    anew = await bot.send(out("new text", edits="7"))

    assert [one.outcome for one in (edited, unchanged, anew)] == [SendOutcome.ACCEPTED] * 3
    assert [method for method, _ in api.asked] == ["editMessageText"] * 3 + ["sendMessage"]
    assert api.asked[0][1]["message_id"] == 7
    assert api.asked[0][1]["reply_markup"] == {"inline_keyboard": []}


async def test_a_click_is_answered_with_a_short_text(bot: Telegram, api: BotApi) -> None:
    """One that is too old to be answered stops nothing."""
    api.answers = [(200, b'{"ok": true, "result": true}')]
    first = await bot.send(out("Ben already has it", to="click:4382"))
    api.answers = [(400, b'{"ok": false, "error_code": 400, "description": "Bad Request: query is too old"}')]
    late = await bot.send(out("x" * 500, to="click:4382"))

    assert [first.outcome, late.outcome] == [SendOutcome.ACCEPTED] * 2
    assert api.asked[0] == ("answerCallbackQuery", {"callback_query_id": "4382", "text": "Ben already has it"})
    assert len(api.asked[1][1]["text"]) == 200


async def test_the_application_learns_under_which_id_it_can_edit(bot: Telegram, api: BotApi) -> None:
    """Only of replies that it named; that it cannot be told makes nothing unsent."""
    told: list[Accepted] = []

    async def on_accepted(accepted: Accepted) -> None:
        told.append(accepted)
        if len(told) == 2:
            raise StoreUnavailableError("away")

    bot.on_accepted = on_accepted
    outcomes = [(await bot.send(out(key=key))).outcome for key in ("card", "", "card")]
    outcomes.append((await bot.send(out(key="card", edits="7"))).outcome)
    api.answers = [(400, b'{"ok": false, "error_code": 400, "description": "Bad Request: message to edit not found"}')]
    outcomes.append((await bot.send(out(key="card", edits="5"))).outcome)

    assert outcomes == [SendOutcome.ACCEPTED] * 5
    first, second, anew = told
    assert first == second == Accepted(key="card", chat="-1001", message_id="7")
    assert anew == Accepted(key="card", chat="-1001", message_id="7", lost="5")


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (400, b'{"ok": false, "error_code": 400, "description": "Bad Request: chat not found"}', SendOutcome.REJECTED),
        (403, b'{"ok": false, "error_code": 403, "description": "Forbidden: bot was kicked"}', SendOutcome.REJECTED),
        (500, b'{"ok": false, "error_code": 500, "description": "Internal"}', SendOutcome.RETRY),
        (502, b"<html>bad gateway</html>", SendOutcome.RETRY),
        (200, b"<html>a proxy's page</html>", SendOutcome.UNKNOWN),
        (200, b"[]", SendOutcome.UNKNOWN),
    ],
)
async def test_every_answer_is_judged(
    bot: Telegram, api: BotApi, status: int, body: bytes, outcome: SendOutcome
) -> None:
    """Refused for good, later again, or nobody knows."""
    api.answers = [(status, body)]

    assert (await bot.send(out())).outcome is outcome


async def test_a_limit_is_waited_for_as_long_as_telegram_says(bot: Telegram, api: BotApi) -> None:
    """429 carries the seconds."""
    body = {"ok": False, "error_code": 429, "description": "Too Many", "parameters": {"retry_after": 13}}
    api.answers = [(429, json.dumps(body).encode()), (429, b'{"ok": false, "error_code": 429}')]
    sent, without = await bot.send(out()), await bot.send(out())

    assert (sent.outcome, sent.retry_after) == (SendOutcome.RETRY, timedelta(seconds=13))
    assert (without.outcome, without.retry_after) == (SendOutcome.RETRY, None)


async def test_a_group_that_became_a_supergroup_is_followed(bot: Telegram, api: BotApi) -> None:
    """The refusal names its new id; it is tried again, and goes there, also when it moves once more."""

    def moved(to: int) -> tuple[int, bytes]:
        text = "Bad Request: group chat was upgraded to a supergroup chat"
        body = {"ok": False, "error_code": 400, "description": text, "parameters": {"migrate_to_chat_id": to}}
        return 400, json.dumps(body).encode()

    told: list[Accepted] = []

    async def on_accepted(accepted: Accepted) -> None:
        told.append(accepted)

    bot.on_accepted = on_accepted
    api.answers = [moved(-100_200), moved(-100_300)]
    outcomes = [(await bot.send(out(key="card"))).outcome for _ in range(3)]
    await bot.send(out(edits="7"))
    await bot.send(out(to="-5"))

    assert outcomes == [SendOutcome.RETRY, SendOutcome.RETRY, SendOutcome.ACCEPTED]
    assert [asked["chat_id"] for _, asked in api.asked] == ["-1001", "-100200", "-100300", "-100300", "-5"]
    assert [accepted.chat for accepted in told] == ["-1001"]


async def test_no_answer_is_unknown_and_no_connection_is_not_sent(bot: Telegram, api: BotApi) -> None:
    """And the token is in no error."""
    api.hangs = True
    hung = await bot.send(out())
    nobody = Telegram(TOKEN, secret=SECRET, route=route, api="http://127.0.0.1:1")
    refused = await nobody.send(out())
    await nobody.close()

    assert (hung.outcome, refused.outcome) == (SendOutcome.UNKNOWN, SendOutcome.RETRY)
    assert "TEST" not in hung.error + refused.error


@pytest.mark.parametrize(
    "fields",
    [
        {"text": "x" * 4097},
        {"buttons": (Button(text="a", data="ä" * 33),)},
        {"buttons": (Button(text="a", data=""),)},
        {"edits": "not-a-number"},
    ],
)
async def test_what_telegram_would_refuse_is_not_sent(bot: Telegram, api: BotApi, fields: dict[str, Any]) -> None:
    """It ends in the dead letters with the limit that it broke."""
    sent = await bot.send(out(**fields))

    assert sent.outcome is SendOutcome.REJECTED
    assert sent.error
    assert api.asked == []


async def test_the_webhook_is_set_with_its_secret(bot: Telegram, api: BotApi) -> None:
    """A refusal is told."""
    await bot.set_webhook("https://example.org/webhooks/telegram")
    api.answers = [(400, b'{"ok": false, "error_code": 400, "description": "bad webhook: HTTPS url must be provided"}')]

    asked = api.asked[0][1]
    assert asked["secret_token"] == SECRET
    assert {"update_id", *asked["allowed_updates"]} == set(Update.__struct_fields__)
    with pytest.raises(ConfigurationError, match="HTTPS"):
        await bot.set_webhook("http://example.org")


@pytest.mark.parametrize(("token", "secret"), [("", "s"), ("abc", "s"), (TOKEN, ""), (TOKEN, "ä"), (TOKEN, "x" * 257)])
def test_a_token_or_secret_that_cannot_be_one_is_refused(token: str, secret: str) -> None:
    """Before anything is sent."""
    with pytest.raises(ConfigurationError):
        Telegram(token, secret=secret, route=route)


async def test_the_token_is_in_no_log(bot: Telegram, api: BotApi, caplog: pytest.LogCaptureFixture) -> None:
    """It is a part of every address, and the HTTP client logs addresses."""
    caplog.set_level(logging.DEBUG)
    await bot.send(out())
    api.answers = [(500, b"oops")]
    failed = await bot.send(out())

    assert [method for method, _ in api.asked] == ["sendMessage", "sendMessage"]
    assert "sendMessage" in caplog.text
    assert TOKEN not in caplog.text + failed.error


async def test_a_text_is_counted_as_telegram_counts_it(bot: Telegram, api: BotApi) -> None:
    """An emoji is two units of the 4,096."""
    fits = await bot.send(out("🚴" * 2048))
    refused = await bot.send(out("🚴" * 2049))

    assert (fits.outcome, refused.outcome) == (SendOutcome.ACCEPTED, SendOutcome.REJECTED)
    assert "4098" in refused.error
    assert len(api.asked) == 1
