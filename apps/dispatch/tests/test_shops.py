"""The shops' webhooks: signed over the raw body, read into one order, refused or set aside with a reason."""

import base64
import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from apps.dispatch.tests.orders import PLACED, arrival, marketplace, request, storefront
from dispatch.app import telegram_from
from dispatch.shops import DEMO_SECRET, MAX_NOTE_CHARACTERS, OrderWebhook, Received, signed
from turnkeeper import ConfigurationError, WebhookRefusedError, WebhookUnreadableError

webhook = OrderWebhook({})


def read(shop: str, body: object) -> Received:
    """Return the order that a webhook becomes."""
    return msgspec.json.decode(arrival(shop, body).message.data, type=Received)


def test_both_kinds_of_shop_become_the_same_order() -> None:
    """The names that the users' own code has."""
    first, second = read("dishbee", storefront()), read("smoothr", marketplace(wantedAt="19.15"))

    assert (first.order_id, first.name, first.order_type) == ("dishbee_26", "dishbee #26", "dishbee")
    assert first.vendor_items == {"JS": ["2x Käsespätzle"], "LR": ["1x Falafel"]}
    assert (first.customer.name, first.customer.address) == ("Zoë Müller", "Innstraße 5, Passau")
    assert (first.requested_time, first.total) == ("18:30", "34.00")
    assert (second.order_id, second.vendors, second.requested_time) == ("smoothr_123", ["HB"], "19:15")


def test_a_name_without_a_number_keeps_the_shops_id() -> None:
    """`order:5866` is an order too."""
    assert read("dishbee", storefront(name="Draft", id=5866)).order_id == "5866"


def test_the_signature_is_what_the_shop_documents() -> None:
    """HMAC-SHA256 over the raw body, in base64: computed here without our code."""
    body = json.dumps(storefront(), indent=3).encode()
    digest = base64.b64encode(hmac.new(DEMO_SECRET.encode(), body, hashlib.sha256).digest()).decode()
    asked = request("dishbee", body)

    assert asked.headers["x-shopify-hmac-sha256"] == digest
    assert webhook.read(asked)


@pytest.mark.parametrize("signature", ["", "AAAA", "ä"])
@pytest.mark.parametrize(("shop", "header"), [("dishbee", "x-shopify-hmac-sha256"), ("smoothr", "x-signature")])
def test_an_unsigned_order_is_refused(shop: str, header: str, signature: str) -> None:
    """With 401, before anything is read."""
    with pytest.raises(WebhookRefusedError, match=header) as refused:
        webhook.read(request(shop, b"{}", **{header: signature}))

    assert refused.value.status == 401


def test_a_changed_body_is_refused() -> None:
    """One byte is enough."""
    asked = request("dishbee", storefront())
    changed = msgspec.structs.replace(asked, body=asked.body.replace(b"34.00", b"04.00"))

    with pytest.raises(WebhookRefusedError):
        webhook.read(changed)


def test_each_shop_has_its_own_secret() -> None:
    """From the environment."""
    configured = OrderWebhook({"DISPATCH_SECRET_SMOOTHR": "another"})

    assert configured.read(request("dishbee", storefront()))
    with pytest.raises(WebhookRefusedError):
        configured.read(request("smoothr", marketplace()))


def test_an_unknown_shop_is_told_which_there_are() -> None:
    """With 404."""
    asked = msgspec.structs.replace(request("dishbee", storefront()), params={"shop": "nope"})

    with pytest.raises(WebhookRefusedError, match="dishbee, smoothr") as refused:
        webhook.read(asked)
    assert refused.value.status == 404


@pytest.mark.parametrize(
    ("shop", "body"),
    [
        ("dishbee", b"not json"),
        ("dishbee", b"\xff\xfe"),
        ("dishbee", b"[" * 9000),
        ("dishbee", {}),
        ("dishbee", storefront(line_items=[])),
        ("dishbee", storefront(created_at="yesterday")),
        ("dishbee", storefront(line_items=[{"title": "x", "vendor": "JS"}] * 201)),
        ("smoothr", marketplace(orderNumber="1|2")),
        ("smoothr", marketplace(orderNumber="")),
        ("smoothr", marketplace(orderNumber="12 3")),
        ("smoothr", marketplace(orderNumber="ä")),
        ("smoothr", marketplace(orderNumber="1" * 30)),
        ("smoothr", marketplace(restaurants=[])),
        ("smoothr", marketplace(total=[])),
    ],
)
def test_a_signed_order_that_makes_no_sense_is_set_aside(shop: str, body: Any) -> None:
    """The shop is answered with 200: sending it again would not mend it."""
    with pytest.raises(WebhookUnreadableError):
        webhook.read(request(shop, body))


def test_a_repeated_webhook_has_the_same_id() -> None:
    """The shop's own id of the delivery where it sends one, else the body's digest."""
    ids = [
        arrival("dishbee", storefront(), delivery="d1").message.id,
        arrival("dishbee", storefront(note="x"), delivery="d1").message.id,
        arrival("dishbee", storefront()).message.id,
        arrival("dishbee", storefront()).message.id,
        arrival("dishbee", storefront(note="x")).message.id,
    ]

    assert ids[0] == ids[1]
    assert ids[2] == ids[3]
    assert len(set(ids)) == 3


def test_members_that_a_shop_leaves_empty_lose_no_order() -> None:
    """Shops write null for whatever a customer did not fill in."""
    nobody = dict.fromkeys(("name", "phone", "address1", "city", "zip"))
    came = arrival(
        "dishbee",
        storefront(
            shipping_address=nobody,
            total_price=None,
            note=None,
            note_attributes=[{"name": "delivery_time", "value": None}],
            line_items=[{"title": "Suppe", "vendor": None}],
        ),
    )
    other = arrival("smoothr", marketplace(contact=dict.fromkeys(("fullName", "street")), total=None, remark=None))

    order = msgspec.json.decode(came.message.data, type=Received)
    assert (order.vendor_items, order.requested_time, order.customer.name) == ({"dishbee": ["1x Suppe"]}, "asap", "")
    assert msgspec.json.decode(other.message.data, type=Received).total == ""


def test_a_total_is_kept_as_the_shop_wrote_it() -> None:
    """As text or as a number, to the last digit."""
    written = [b'"34.00"', b"34.00", b"34", b'"12,50 EUR"', b"1e22", b"1000000000000000000000000000001", b"null"]
    kept = []
    for total in written:
        bodies = (
            ("dishbee", msgspec.json.encode(storefront(total_price="?")).replace(b'"?"', total)),
            ("smoothr", msgspec.json.encode(marketplace(total="?")).replace(b'"?"', total)),
        )
        kept += [msgspec.json.decode(arrival(*each).message.data, type=Received).total for each in bodies]

    assert kept[::2] == kept[1::2]
    assert kept[::2] == ["34.00", "34.00", "34", "12,50 EUR", "1e22", "1000000000000000000000000000001", ""]


def test_a_number_where_a_text_is_documented_loses_no_order() -> None:
    """Nor the other way round, nor null in place of a list."""
    came = arrival(
        "dishbee",
        storefront(
            id="5866",
            name="walk-in",
            shipping_address={"name": "Ana", "phone": 49155, "zip": 94032},
            note=7,
            note_attributes=None,
            line_items=[{"title": "Suppe", "vendor": "JS", "quantity": "2"}, {"title": "Brot", "quantity": None}],
        ),
    )
    other = arrival("smoothr", marketplace(orderNumber=124, contact=None))

    order = msgspec.json.decode(came.message.data, type=Received)
    assert (came.person, other.person) == ("5866", "smoothr_124")
    assert (order.customer.phone, order.customer.zip, order.note) == ("49155", "94032", "7")
    assert order.vendor_items == {"JS": ["2x Suppe"], "dishbee": ["1x Brot"]}


@pytest.mark.parametrize("characters", [MAX_NOTE_CHARACTERS, MAX_NOTE_CHARACTERS + 1, 600_000])
def test_a_long_note_is_cut_and_loses_no_order(characters: int) -> None:
    """A message has room for 256 KB, and what a customer wrote may be longer."""
    received = read("dishbee", storefront(note="é" * characters))

    assert received.note == "é" * MAX_NOTE_CHARACTERS


def test_a_time_without_a_zone_is_utc() -> None:
    """As everywhere else; such an order is not lost."""
    came = arrival("smoothr", marketplace(placedAt="2026-03-02T16:00:00", changedAt="2026-03-02T18:00:00+01:00"))

    order = msgspec.json.decode(came.message.data, type=Received)
    assert order.created_at == PLACED
    assert order.updated_at == PLACED + timedelta(hours=1)


@pytest.mark.parametrize("number", ["٢", "²", "1" * 17, "D-26"])
def test_a_name_that_makes_no_id_leaves_the_shops_id(number: str) -> None:
    """The order is taken in under the shop's own id."""
    assert arrival("dishbee", storefront(id=5866, name=f"#{number}")).person == "5866"


def test_a_shop_without_a_secret_is_the_demonstrations_only() -> None:
    """Its secret is in the sources: with a real bot nobody may sign with it, nor with none. The shop tries again."""
    real = OrderWebhook({"TELEGRAM_TOKEN": "1:a", "DISPATCH_SECRET_DISHBEE": "ours", "DISPATCH_SECRET_SMOOTHR": ""})
    body = msgspec.json.encode(storefront())
    ours = msgspec.structs.replace(request("dishbee", body), headers=signed("dishbee", body, secret="ours"))

    assert real.read(ours)
    assert OrderWebhook({"DISPATCH_SECRET_SMOOTHR": ""}).read(request("smoothr", marketplace()))
    for secret in ("", "demo-secret"):
        raw = msgspec.json.encode(marketplace())
        forged = msgspec.structs.replace(request("smoothr", raw), headers=signed("smoothr", raw, secret=secret))
        with pytest.raises(WebhookRefusedError, match="DISPATCH_SECRET_SMOOTHR") as refused:
            real.read(forged)
        assert refused.value.status == 503


def test_a_bot_with_a_token_needs_a_secret() -> None:
    """Else anybody could press buttons; the demonstration has no account and needs none."""
    with pytest.raises(ConfigurationError, match="TELEGRAM_SECRET"):
        telegram_from({"TELEGRAM_TOKEN": "123456:ABC", "TELEGRAM_SECRET": ""})

    assert telegram_from({"TELEGRAM_TOKEN": "", "TELEGRAM_SECRET": ""}).path == "/webhooks/telegram"


def test_a_restaurant_that_stands_there_twice_prepares_both() -> None:
    """Nothing of an order is lost because its lines are not grouped."""
    twice = [{"code": "HB", "items": ["1x Burger"]}, {"code": "HB", "items": ["2x Pommes"]}]
    order = msgspec.json.decode(arrival("smoothr", marketplace(restaurants=twice)).message.data, type=Received)

    assert (order.vendors, order.vendor_items) == (["HB"], {"HB": ["1x Burger", "2x Pommes"]})
