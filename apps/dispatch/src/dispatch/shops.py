"""What the shops send: two kinds of order webhooks, each signed over its raw body, read into one order.

A shop sends a webhook again until it gets a 2xx, and may send them out of order: `updated_at` tells which is newer.
"""

import base64
import hashlib
import hmac
import os
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import msgspec

from dispatch.order import Customer
from turnkeeper import Arrival, Kind, Message, WebhookRefusedError, WebhookRequest, WebhookUnreadableError

DEMO_SECRET = "demo-secret"  # noqa: S105 - on this machine only
"""Signs webhooks where no secret is configured: then only a process on this machine may send them."""

MAX_LINES = 200
"""Lines of one order."""

_ORDER_ID = re.compile(r"[A-Za-z0-9_\-]{0,23}[A-Za-z0-9]")
"""What fits into a button's 64 bytes with everything else."""


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
    name: str | None = None
    phone: str | None = None
    address1: str | None = None
    city: str | None = None
    zip: str | None = None


class _Line(msgspec.Struct, frozen=True):
    title: str
    vendor: str | None = None
    quantity: int = 1


class _Attribute(msgspec.Struct, frozen=True):
    name: str
    value: str | None = None


class _Storefront(msgspec.Struct, frozen=True):
    """An order of a storefront shop; its documentation has many more members, which are not needed here."""

    id: int
    name: str
    created_at: datetime
    updated_at: datetime
    line_items: list[_Line]
    shipping_address: _Address | None = None
    phone: str | None = None
    total_price: str | None = None
    note: str | None = None
    note_attributes: list[_Attribute] = []


class _Contact(msgspec.Struct, frozen=True, rename="camel"):
    full_name: str | None = None
    phone_number: str | None = None
    street: str | None = None
    postal_code: str | None = None


class _Restaurant(msgspec.Struct, frozen=True, rename="camel"):
    code: str
    items: list[str]


class _Marketplace(msgspec.Struct, frozen=True, rename="camel"):
    """An order of a marketplace, where one order has several restaurants."""

    order_number: str
    placed_at: datetime
    changed_at: datetime
    restaurants: list[_Restaurant]
    contact: _Contact = _Contact()
    wanted_at: str | None = None
    total: float | int | str | None = None
    remark: str | None = None


def _storefront(shop: str, body: bytes) -> Received:
    order = msgspec.json.decode(body, type=_Storefront)
    items: dict[str, list[str]] = {}
    for line in order.line_items:
        items.setdefault(line.vendor or shop, []).append(f"{line.quantity}x {line.title}")
    address = order.shipping_address or _Address()
    wanted = {attribute.name: attribute.value for attribute in order.note_attributes}.get("delivery_time")
    number = order.name.lstrip("#")
    return Received(
        order_id=f"{shop}_{number}" if number.isdecimal() else str(order.id),
        name=f"{shop} {order.name}",
        order_type=shop,
        vendors=list(items),
        vendor_items=items,
        customer=Customer(
            name=address.name or "",
            phone=address.phone or order.phone or "",
            address=", ".join(part for part in (address.address1, address.city) if part),
            zip=address.zip or "",
        ),
        created_at=order.created_at,
        updated_at=order.updated_at,
        requested_time=_time_of_day(wanted or ""),
        total=order.total_price or "",
        note=order.note or "",
    )


def _marketplace(shop: str, body: bytes) -> Received:
    order = msgspec.json.decode(body, type=_Marketplace)
    items: dict[str, list[str]] = {}
    for restaurant in order.restaurants:  # one that stands there twice prepares both
        items.setdefault(restaurant.code, []).extend(restaurant.items)
    return Received(
        order_id=f"{shop}_{order.order_number}",
        name=f"{shop} #{order.order_number}",
        order_type=shop,
        vendors=list(items),
        vendor_items=items,
        customer=Customer(
            name=order.contact.full_name or "",
            phone=order.contact.phone_number or "",
            address=order.contact.street or "",
            zip=order.contact.postal_code or "",
        ),
        created_at=order.placed_at,
        updated_at=order.changed_at,
        requested_time=_time_of_day(order.wanted_at or ""),
        total="" if order.total is None else str(order.total),
        note=order.remark or "",
    )


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
        """Take the shops' secrets from `DISPATCH_SECRET_DISHBEE` and the like."""
        self._secrets = {name: environ.get(f"DISPATCH_SECRET_{name.upper()}", DEMO_SECRET).encode() for name in SHOPS}

    def read(self, request: WebhookRequest, /) -> Sequence[Arrival]:
        """See `Webhook.read`."""
        name = request.params["shop"]
        shop = SHOPS.get(name)
        if shop is None:
            raise WebhookRefusedError(f"no shop of that name; there are: {', '.join(SHOPS)}", status=404)
        expected = shop.signature(self._secrets[name], request.body)
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


def _check(order: Received) -> None:
    if not _ORDER_ID.fullmatch(order.order_id):
        raise WebhookUnreadableError("an order's id has 1 to 24 letters, digits, _ and -")
    if not order.vendors:
        raise WebhookUnreadableError("the order has no lines")
    if sum(len(items) for items in order.vendor_items.values()) > MAX_LINES:
        raise WebhookUnreadableError(f"the order has more than {MAX_LINES} lines")
    for moment in (order.created_at, order.updated_at):
        if moment.tzinfo is None:
            raise WebhookUnreadableError("a time of the order has no time zone")


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
