"""Orders as the shops send them, for the tests of this application."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from dispatch.clicks import Click, route
from dispatch.shops import OrderWebhook, signed
from turnkeeper import Arrival, Kind, WebhookRequest
from turnkeeper.channels.telegram import Click as Pressed
from turnkeeper.channels.telegram import Update, User
from turnkeeper.testing import FakeChannel, Simulator

PLACED = datetime(2026, 3, 2, 16, 0, tzinfo=UTC)

_numbers = itertools.count(1)


def storefront(**changes: Any) -> dict[str, Any]:
    """Return an order of the storefront."""
    return {
        "id": 820982911946154508,
        "name": "#26",
        "created_at": "2026-03-02T17:00:00+01:00",
        "updated_at": "2026-03-02T17:00:00+01:00",
        "line_items": [
            {"title": "Käsespätzle", "vendor": "JS", "quantity": 2, "price": "12.50"},
            {"title": "Falafel", "vendor": "LR", "quantity": 1, "price": "9.00"},
        ],
        "shipping_address": {
            "name": "Zoë Müller",
            "phone": "+4915550001",
            "address1": "Innstraße 5",
            "city": "Passau",
            "zip": "94032",
        },
        "total_price": "34.00",
        "note": "Bitte klingeln 🔔",
        "note_attributes": [{"name": "delivery_time", "value": "18:30"}],
        **changes,
    }


def marketplace(**changes: Any) -> dict[str, Any]:
    """Return an order of the marketplace."""
    return {
        "orderNumber": "123",
        "placedAt": "2026-03-02T16:00:00Z",
        "changedAt": "2026-03-02T16:00:00Z",
        "restaurants": [{"code": "HB", "items": ["1x Burger"]}],
        "contact": {"fullName": "Ana", "phoneNumber": "+49155", "street": "Am Schanzl 1", "postalCode": "94032"},
        "total": 12.5,
        "remark": "",
        **changes,
    }


def request(shop: str, body: object, *, delivery: str = "", **headers: str) -> WebhookRequest:
    """Return a signed request of a shop."""
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    sent = {**signed(shop, raw, delivery=delivery), **headers}
    return WebhookRequest(headers=sent, query={}, params={"shop": shop}, body=raw)


def arrival(shop: str, body: object, *, delivery: str = "") -> Arrival:
    """Return the message that a webhook becomes."""
    (read,) = OrderWebhook({}).read(request(shop, body, delivery=delivery))
    return read


def later(minutes: int) -> str:
    """Return a time so many minutes after the order was placed, as the storefront writes it."""
    return (PLACED + timedelta(minutes=minutes)).isoformat()


class Team:
    """The group and the vendors, as they see an order."""

    def __init__(self, sim: Simulator, telegram: FakeChannel) -> None:
        """Take the bot, and where its messages go."""
        self.sim = sim
        self.telegram = telegram

    def webhook(self, shop: str, body: object, *, delivery: str = "") -> str:
        """Let a shop send an order; return its id."""
        came = arrival(shop, body, delivery=delivery)
        self.sim.deliver(
            came.message.text,
            id=came.message.id,
            as_=came.person,
            kind=Kind.ACTION,
            data=msgspec.json.decode(came.message.data),
        )
        return came.person

    def press(self, order: str, text: str, *, by: str = "Ana", chat: str = "-1001") -> str:
        """Press the button that begins with this text, where it was shown last; return the answer to the click."""
        shown = [sent.reply for sent in self.telegram.sent if sent.reply.to == chat and f"{order}|" in sent.reply.key]
        (data,) = [button.data for button in shown[-1].buttons if button.text.startswith(text)]
        return self.press_data(data, by=by)

    def press_data(self, data: str, *, by: str = "Ana") -> str:
        """Press a button by its data, which may be an old one's; return the answer to the click."""
        order, action, what, time, version = data.split("|")
        number = next(_numbers)
        click = Click(query=f"q{number}", by=by, what=what, time=time, version=int(version))
        self.sim.deliver(action, id=f"telegram:{number}", as_=order, kind=Kind.ACTION, data=msgspec.to_builtins(click))
        answers = [sent.reply.text for sent in self.telegram.sent if sent.reply.to == f"click:q{number}"]
        return answers[0] if len(answers) == 1 else repr(answers)

    def tap(self, data: str, *, by: str = "Ana") -> str | None:
        """Let Telegram bring any data as a click's; return the answer to it, None if it is nobody's."""
        number = next(_numbers)
        sender = User(id=7, first_name=by)
        came = route(Update(update_id=number, callback_query=Pressed(id=f"q{number}", sender=sender, data=data)))
        if came is None:
            return None
        fields = msgspec.json.decode(came.message.data)
        self.sim.deliver(came.message.text, id=came.message.id, as_=came.person, kind=Kind.ACTION, data=fields)
        answers = [sent.reply.text for sent in self.telegram.sent if sent.reply.to == f"click:q{number}"]
        return answers[0] if len(answers) == 1 else repr(answers)

    def placed(self, order: str, key: str, message_id: str, *, chat: str = "-1001", lost: str = "") -> None:
        """Let the bot hear under which id Telegram keeps something."""
        report = {"key": key, "chat": chat, "message_id": message_id, "lost": lost}
        self.sim.deliver("placed", id=f"placed:{chat}:{message_id}", as_=order, kind=Kind.ACTION, data=report)

    def card(self, order: str) -> tuple[str, list[str]]:
        """Return the card in the group as it is shown now: its text and its buttons."""
        shown = [sent.reply for sent in self.telegram.sent if sent.reply.key == f"{order}|card"]
        return shown[-1].text, [button.text for button in shown[-1].buttons]
