"""What the shops send: two kinds of order webhooks, each signed over its raw body, read into one order.

A shop sends a webhook again until it gets a 2xx, and may send them out of order: `updated_at` tells which is newer.
"""

import base64
import hashlib
import hmac
import os
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec
from msgspec import Raw

from dispatch.order import ORDER_ID, Customer
from turnkeeper import Arrival, Kind, Message, WebhookRefusedError, WebhookRequest, WebhookUnreadableError

DEMO_SECRET = "demo-secret"  # noqa: S105 - on this machine only
"""Signs the webhooks of the demonstration. With a Telegram account a shop has a secret of its own, or is refused."""

MAX_LINES = 200
"""Lines of one order."""

MAX_NOTE_CHARACTERS = 10_000
"""What a customer wrote: a longer one is cut, so that the order has room in a message. A card shows 2,000 at most."""

_Said = str | int | float | None
"""A number where a text is documented, or null, loses no order."""

_NOTHING = Raw(b"null")


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """An order as a shop told it, in our names."""

    order_id: str
    name: str
    order_type: str
    vendors: list[str]
    vendor_items: dict[str, list[str]]
    customer: Customer
    created_at: datetime
    updated_at: datetime
    requested_time: str
    total: str
    note: str


class _Address(msgspec.Struct, frozen=True):
    name: _Said = None
    phone: _Said = None
    address1: _Said = None
    city: _Said = None
    zip: _Said = None


class _Line(msgspec.Struct, frozen=True):
    title: str
    vendor: str | None = None
    quantity: _Said = 1


class _Attribute(msgspec.Struct, frozen=True):
    name: str
    value: _Said = None


class _Storefront(msgspec.Struct, frozen=True):
    """An order of a storefront shop; its documentation has many more members, which are not needed here."""

    id: int | str
    name: str
    created_at: datetime
    updated_at: datetime
    line_items: list[_Line]
    shipping_address: _Address | None = None
    phone: _Said = None
    total_price: Raw = _NOTHING
    note: _Said = None
    note_attributes: list[_Attribute] | None = None


class _Contact(msgspec.Struct, frozen=True, rename="camel"):
    full_name: _Said = None
    phone_number: _Said = None
    street: _Said = None
    postal_code: _Said = None


class _Restaurant(msgspec.Struct, frozen=True, rename="camel"):
    code: str
    items: list[str]


class _Marketplace(msgspec.Struct, frozen=True, rename="camel"):
    """An order of a marketplace, where one order has several restaurants."""

    order_number: str | int
    placed_at: datetime
    changed_at: datetime
    restaurants: list[_Restaurant]
    contact: _Contact | None = None
    wanted_at: _Said = None
    total: Raw = _NOTHING
    remark: _Said = None


def _storefront(shop: str, body: bytes) -> Received:
    order = msgspec.json.decode(body, type=_Storefront)
    items: dict[str, list[str]] = {}
    for line in order.line_items:
        items.setdefault(line.vendor or shop, []).append(f"{_text(line.quantity) or 1}x {line.title}")
    address = order.shipping_address or _Address()
    wanted = {attribute.name: attribute.value for attribute in order.note_attributes or ()}.get("delivery_time")
    number = order.name.lstrip("#")
    return Received(
        order_id=f"{shop}_{number}" if re.fullmatch("[0-9]{1,16}", number) else str(order.id),
        name=f"{shop} {order.name}",
        order_type=shop,
        vendors=list(items),
        vendor_items=items,
        customer=Customer(
            name=_text(address.name),
            phone=_text(address.phone) or _text(order.phone),
            address=", ".join(part for part in (_text(address.address1), _text(address.city)) if part),
            zip=_text(address.zip),
        ),
        created_at=_aware(order.created_at),
        updated_at=_aware(order.updated_at),
        requested_time=_time_of_day(_text(wanted)),
        total=_amount(order.total_price),
        note=_text(order.note)[:MAX_NOTE_CHARACTERS],
    )


def _marketplace(shop: str, body: bytes) -> Received:
    order = msgspec.json.decode(body, type=_Marketplace)
    items: dict[str, list[str]] = {}
    for restaurant in order.restaurants:  # one that stands there twice prepares both
        items.setdefault(restaurant.code, []).extend(restaurant.items)
    contact = order.contact or _Contact()
    return Received(
        order_id=f"{shop}_{order.order_number}",
        name=f"{shop} #{order.order_number}",
        order_type=shop,
        vendors=list(items),
        vendor_items=items,
        customer=Customer(
            name=_text(contact.full_name),
            phone=_text(contact.phone_number),
            address=_text(contact.street),
            zip=_text(contact.postal_code),
        ),
        created_at=_aware(order.placed_at),
        updated_at=_aware(order.changed_at),
        requested_time=_time_of_day(_text(order.wanted_at)),
        total=_amount(order.total),
        note=_text(order.remark)[:MAX_NOTE_CHARACTERS],
    )


def _text(said: _Said) -> str:
    return "" if said is None else str(said)


def _amount(sent: Raw) -> str:
    """Return an amount as the shop wrote it: 12.50 stays 12.50, text or number."""
    said = msgspec.json.decode(sent, type=_Said)
    return bytes(sent).decode() if isinstance(said, int | float) else _text(said)


def _aware(moment: datetime) -> datetime:
    """Return a time with its zone; without one it is UTC."""
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _time_of_day(text: str) -> str:
    """Return `HH:MM` if the text is one, else `asap`."""
    found = re.fullmatch(r"\s*([01]?\d|2[0-3])[:.]([0-5]\d)\s*", text)
    return f"{int(found[1]):02}:{found[2]}" if found else "asap"


class Shop(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of shop: how it signs (which header, how the digest is written) and how its JSON is read."""

    header: str
    digest: Callable[[bytes], str]
    delivery_header: str
    read: Callable[[str, bytes], Received]

    def signature(self, secret: bytes, body: bytes) -> str:
        """Return what the header must hold: HMAC-SHA256 over the raw body."""
        return self.digest(hmac.digest(secret, body, "sha256"))


SHOPS: Mapping[str, Shop] = {
    "dishbee": Shop(
        header="x-shopify-hmac-sha256",
        digest=lambda raw: base64.b64encode(raw).decode(),
        delivery_header="x-shopify-webhook-id",
        read=_storefront,
    ),
    "smoothr": Shop(
        header="x-signature",
        digest=lambda raw: f"sha256={raw.hex()}",
        delivery_header="x-delivery",
        read=_marketplace,
    ),
}
"""By the name in the webhook's path and in `DISPATCH_SECRET_{NAME}`."""


class OrderWebhook:
    """The way in for orders. See `turnkeeper.Webhook`."""

    path = "/webhooks/orders/{shop}"

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        """Take the shops' secrets from `DISPATCH_SECRET_DISHBEE` and the like.

        An empty one counts as none. A shop without one has the demonstration's, which anybody can read, and is refused
        where `TELEGRAM_TOKEN` says that this is no demonstration.
        """
        default = "" if environ.get("TELEGRAM_TOKEN") else DEMO_SECRET
        self._secrets = {name: (environ.get(_setting(name)) or default).encode() for name in SHOPS}

    def read(self, request: WebhookRequest, /) -> Sequence[Arrival]:
        """See `Webhook.read`."""
        name = request.params["shop"]
        shop = SHOPS.get(name)
        if shop is None:
            raise WebhookRefusedError(f"no shop of that name; there are: {', '.join(SHOPS)}", status=404)
        secret = self._secrets[name]
        if not secret:
            raise WebhookRefusedError(f"{_setting(name)} is not set: nothing can be verified", status=503)
        expected = shop.signature(secret, request.body)
        if not hmac.compare_digest(request.headers.get(shop.header, "").encode(), expected.encode()):
            raise WebhookRefusedError(f"the signature in {shop.header} is missing or wrong")
        try:
            received = shop.read(name, request.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            raise WebhookUnreadableError(f"not an order of {name}: {exc}") from exc
        _check(received)
        delivery = request.headers.get(shop.delivery_header) or hashlib.sha256(request.body).hexdigest()
        message = Message(
            id=f"{name}:{delivery[:128]}",
            kind=Kind.ACTION,
            text="order",
            data=msgspec.Raw(msgspec.json.encode(received)),
        )
        return (Arrival(person=received.order_id, message=message),)


def _setting(shop: str) -> str:
    return f"DISPATCH_SECRET_{shop.upper()}"


def _check(order: Received) -> None:
    if not ORDER_ID.fullmatch(order.order_id):
        raise WebhookUnreadableError("an order's id has 1 to 24 letters, digits, _ and -")
    if not order.vendors:
        raise WebhookUnreadableError("the order has no lines")
    if sum(len(items) for items in order.vendor_items.values()) > MAX_LINES:
        raise WebhookUnreadableError(f"the order has more than {MAX_LINES} lines")


def signed(shop: str, body: bytes, *, secret: str = DEMO_SECRET, delivery: str = "") -> dict[str, str]:
    """Return the headers that a shop sends with a body; for tests and the demonstration."""
    kind = SHOPS[shop]
    headers = {
        "content-type": "application/json",
        kind.header: kind.signature(secret.encode(), body),
    }
    if delivery:
        headers[kind.delivery_header] = delivery
    return headers
