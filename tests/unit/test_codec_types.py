"""Typed places: datetimes come back aware at any depth, and every type that msgspec knows can be a field."""

import copy
import enum
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, NamedTuple, NotRequired, TypedDict, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnkeeper.codecs import StateCodec, decode_value, encode_value
from turnkeeper.codecs.places import StepBuilder, outgoing
from turnkeeper.codecs.shapes import describe
from turnkeeper.codecs.walk import aware_utc
from turnkeeper.errors import InvalidStateError, StateUndecodableError
from turnkeeper.model.ref import Ref
from turnkeeper.model.struct import Struct

T = TypeVar("T")
NAIVE = datetime(2026, 11, 20, 12, 30)  # noqa: DTZ001 - what these tests are about
AWARE = NAIVE.replace(tzinfo=UTC)


class Text(Struct, tag=True):
    body: str = ""
    at: datetime | None = None


class Click(msgspec.Struct, tag="click", frozen=True):
    at: datetime
    button: str = ""


@dataclass
class Vendor:
    name: str
    confirmed: datetime | None = None
    asked: list[datetime] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Frozen:
    at: datetime


class Stop(TypedDict):
    at: datetime
    note: NotRequired[str]


class Span(NamedTuple):
    start: datetime
    end: datetime | None = None


class Box(msgspec.Struct, Generic[T]):
    content: T


class Folder(Struct):
    created: datetime | None = None
    folders: "list[Folder]" = []
    by_name: "dict[str, Folder] | None" = None


class Row(msgspec.Struct, array_like=True):
    at: datetime
    n: int = 0


class Everywhere(Struct):
    plain: datetime
    optional: datetime | None = None
    listed: list[datetime] = []
    series: tuple[datetime, ...] = ()
    row: tuple[int, datetime] | None = None
    unique: set[datetime] = set()
    frozen: frozenset[datetime] = frozenset()
    by_name: dict[str, datetime] = {}
    by_time: dict[datetime, str] = {}
    union: Text | Click | int | None = None
    mixed: list[Text | Click] = []
    vendor: Vendor | None = None
    fixed: Frozen | None = None
    stop: Stop | None = None
    span: Span | None = None
    box: Box[datetime] | None = None
    folder: Folder | None = None
    array: Row | None = None
    annotated: Annotated[datetime | None, msgspec.Meta(description="when")] = None
    nested: dict[str, list[dict[int, datetime]]] = {}
    renamed: datetime | None = msgspec.field(default=None, name="renamedAt")


EVERYWHERE = StateCodec(Everywhere)
STRICT = StateCodec(Everywhere, naive="refuse")


def everywhere(at: datetime) -> Everywhere:
    """Return a state with the same datetime at every kind of place."""
    return Everywhere(
        plain=at,
        optional=at,
        listed=[at, at],
        series=(at,),
        row=(1, at),
        unique={at},
        frozen=frozenset({at}),
        by_name={"JS": at},
        by_time={at: "noon"},
        union=Click(at=at),
        mixed=[Text(body="hi", at=at), Click(at=at)],
        vendor=Vendor(name="v", confirmed=at, asked=[at]),
        fixed=Frozen(at=at),
        stop={"at": at},
        span=Span(at, at),
        box=Box(at),
        folder=Folder(created=at, folders=[Folder(created=at)], by_name={"x": Folder(folders=[Folder(created=at)])}),
        array=Row(at=at),
        annotated=at,
        nested={"a": [{7: at}]},
        renamed=at,
    )


def test_a_naive_datetime_in_memory_comes_back_as_utc_everywhere() -> None:
    """At any depth, and the handed-over state keeps its naive ones."""
    state = everywhere(NAIVE)
    before = copy.deepcopy(state)

    data = EVERYWHERE.encode(state, None).data

    assert state == before
    assert b"2026-11-20T12:30:00" in data
    assert b'12:30:00"' not in data
    assert EVERYWHERE.decode(data).state == everywhere(AWARE)


def test_a_naive_datetime_in_foreign_data_is_read_as_utc_everywhere() -> None:
    """Other code stored `datetime.now().isoformat()`."""
    foreign = EVERYWHERE.encode(everywhere(AWARE), None).data.replace(b"12:30:00Z", b"12:30:00")

    decoded = EVERYWHERE.decode(foreign)

    assert decoded.state == everywhere(AWARE)
    assert isinstance(decoded.state.unique, set)
    assert isinstance(decoded.state.frozen, frozenset)
    assert isinstance(decoded.state.span, Span)
    assert decoded.extras is None


@pytest.mark.parametrize("name", Everywhere.__struct_fields__)
def test_a_naive_datetime_is_refused_by_policy_at_every_place(name: str) -> None:
    """Both ways, with the field in the error."""
    state = everywhere(AWARE)
    setattr(state, name, getattr(everywhere(NAIVE), name))
    path = dict(zip(Everywhere.__struct_fields__, Everywhere.__struct_encode_fields__, strict=True))[name]
    foreign = EVERYWHERE.encode(everywhere(AWARE), None).data

    with pytest.raises(InvalidStateError, match="without a time zone") as raised:
        STRICT.encode(state, None)
    with pytest.raises(StateUndecodableError, match="without a time zone"):
        STRICT.decode(foreign.replace(b"12:30:00Z", b"12:30:00"))

    assert raised.value.what.startswith(f"Everywhere.{path}")
    assert STRICT.decode(STRICT.encode(everywhere(AWARE), None).data).state == everywhere(AWARE)


def test_what_the_next_reader_would_refuse_is_not_written() -> None:
    """A dict stands where a Struct is declared: msgspec writes it, and only reading would meet the naive datetime."""
    state = Everywhere(plain=AWARE, folder={"created": NAIVE})  # type: ignore[arg-type]

    with pytest.raises(InvalidStateError, match="without a time zone") as raised:
        STRICT.encode(state, None)

    assert raised.value.what == "Everywhere.folder.created"


def test_there_are_two_policies() -> None:
    """A misspelt one is told at once."""
    with pytest.raises(ValueError, match="use 'utc' or 'refuse'"):
        StateCodec(Folder, naive="local")  # type: ignore[arg-type]


def test_a_datetime_that_is_declared_naive_stays_naive() -> None:
    """`Meta(tz=False)` is the user's own word."""

    class Alarm(Struct):
        at: Annotated[datetime, msgspec.Meta(tz=False)]

    codec = StateCodec(Alarm, naive="refuse")

    assert codec.decode(codec.encode(Alarm(at=NAIVE), None).data).state.at == NAIVE


def test_a_string_that_looks_like_a_datetime_stays_a_string() -> None:
    """Also beside real datetimes, and with a naive one in the neighbourhood."""
    codec = StateCodec(Text)
    text = Text(body="2026-11-20T12:30:00", at=NAIVE)

    assert codec.decode(codec.encode(text, None).data).state == Text(body="2026-11-20T12:30:00", at=AWARE)


@pytest.mark.parametrize(
    "zone",
    [UTC, timezone(timedelta(hours=-9, minutes=-30)), ZoneInfo("Europe/Berlin"), timezone(timedelta(seconds=3_208))],
)
def test_the_instant_survives_in_every_zone(zone: Any) -> None:
    """Historical offsets have seconds, which RFC 3339 cannot say: such a datetime comes back in UTC."""
    codec = StateCodec(Text)
    at = datetime(1890, 5, 1, 8, 0, 0, 1, tzinfo=zone)

    back = codec.decode(codec.encode(Text(at=at), None).data).state.at

    assert back == at


class Colour(enum.Enum):
    RED = "red"


class Kinds(Struct):
    colour: Colour = Colour.RED
    literal: Literal["a", "b"] = "a"
    day: date | None = None
    clock: time | None = None
    span: timedelta | None = None
    price: Decimal = Decimal(0)
    id: UUID | None = None
    raw: bytes = b""
    counts: dict[int, int] = {}
    by_colour: dict[Colour, int] = {}
    pair: tuple[int, str] = (0, "")
    words: frozenset[str] = frozenset()
    limited: Annotated[int, msgspec.Meta(ge=0, le=9)] = 0
    unset: int | msgspec.UnsetType = msgspec.UNSET
    ratio: float | None = None


KINDS = Kinds(
    day=date(2026, 1, 1),
    clock=time(9, 5),
    span=timedelta(hours=2),
    price=Decimal("9.90"),
    id=UUID(int=7),
    raw=b"\x00\xff",
    counts={-1: 2},
    by_colour={Colour.RED: 1},
    pair=(1, "x"),
    words=frozenset({"b", "a"}),
    limited=9,
    ratio=0.5,
)


def test_every_kind_of_field_survives_the_trip() -> None:
    """What msgspec supports is supported."""
    codec = StateCodec(Kinds)
    data = codec.encode(KINDS, None).data

    decoded = codec.decode(data)

    assert decoded.state == KINDS
    assert decoded.extras is None
    assert codec.encode(decoded.state, None).data == data


@pytest.mark.parametrize(
    ("name", "wrong", "path"),
    [
        ("colour", "red-ish", "colour"),
        ("literal", "c", "literal"),
        ("day", NAIVE, "day"),
        ("price", "cheap", "price"),
        ("counts", {"x": 1}, "counts[key]"),
        ("counts", {1: "x"}, "counts[...]"),
        ("pair", (1, 2), "pair[1]"),
        ("limited", 10, "limited"),
        ("limited", True, "limited"),
        ("words", {"a", 1}, "words[0]"),
        ("words", {("a",)}, "words[0]"),
        ("ratio", float("nan"), "ratio"),
        ("span", object(), "span"),
        ("counts", {1: 1, (1, 2): 3}, "counts[key]"),
    ],
)
def test_a_wrong_value_is_refused_at_its_path(name: str, wrong: object, path: str) -> None:
    """Before it is stored, constraints included."""
    state = copy.copy(KINDS)
    setattr(state, name, wrong)

    with pytest.raises(InvalidStateError) as raised:
        StateCodec(Kinds).encode(state, None)

    assert raised.value.what.partition(".")[2].replace("words[1]", "words[0]") == path


@pytest.mark.parametrize("name", Everywhere.__struct_fields__)
@pytest.mark.parametrize(
    "wrong",
    ["text", 7, 1.5, [3], (1,), {"created": 5}, {"s"}, object()],
    ids=lambda wrong: type(wrong).__name__,
)
def test_a_wrong_type_where_datetimes_are_declared_is_refused(name: str, wrong: object) -> None:
    """The walk passes by what it does not know; the check behind it names it."""
    state = everywhere(AWARE)
    setattr(state, name, wrong)
    path = dict(zip(Everywhere.__struct_fields__, Everywhere.__struct_encode_fields__, strict=True))[name]

    if (name, wrong) == ("union", 7):
        assert EVERYWHERE.encode(state, None).data
    else:
        with pytest.raises(InvalidStateError) as raised:
            EVERYWHERE.encode(state, None)
        assert raised.value.what.startswith(f"Everywhere.{path}")


def test_a_wrong_item_where_objects_are_declared_is_refused() -> None:
    """Without `| None` around it."""
    with pytest.raises(InvalidStateError, match="Expected `object`, got `array`") as raised:
        StateCodec(Folder).encode(Folder(folders=[[7]]), None)  # type: ignore[list-item]

    assert raised.value.what == "Folder.folders[0]"


def test_a_set_among_other_types_is_stored_sorted() -> None:
    """Also where its field may be something else."""

    class Week(Struct):
        days: set[str] | str | None = None
        hours: dict[str, set[int]] | float | None = None

    codec = StateCodec(Week)
    data = codec.encode(Week(days={"mon", "fri"}, hours={"x": {30, 4}}), None).data

    assert data == b'{"days":["fri","mon"],"hours":{"x":[4,30]}}'
    assert codec.decode(data).state == Week(days={"mon", "fri"}, hours={"x": {30, 4}})
    with pytest.raises(InvalidStateError, match="NaN"):
        codec.encode(Week(hours=float("inf")), None)


def test_what_contains_itself_is_refused() -> None:
    """Instead of recursing until the process gives up."""
    plain, dated = Bare(), Folder()
    plain.items.append(plain)
    dated.folders.append(dated)

    with pytest.raises(InvalidStateError, match="contains itself"):
        StateCodec(Bare).encode(plain, None)
    with pytest.raises(InvalidStateError, match="contains itself"):
        StateCodec(Folder).encode(dated, None)


def test_a_wrong_member_of_a_dataclass_is_named() -> None:
    """As in a Struct."""

    @dataclass
    class Courier:
        name: str
        shifts: list[int]

    class Team(Struct):
        couriers: list[Courier] = []

    with pytest.raises(InvalidStateError) as raised:
        StateCodec(Team).encode(Team(couriers=[Courier(name="JS", shifts=[1, 1j])]), None)  # type: ignore[list-item]

    assert raised.value.what == "Team.couriers[0].shifts[1]"


def test_subclasses_of_plain_types_are_stored_as_what_they_are_equal_to() -> None:
    """An `Enum` of strings in a `str` field, a string class of a template library, a tuple where a list is declared."""

    class Markup(str):
        __slots__ = ()

    class Cents(int):
        pass

    class Cart(Struct):
        name: str = ""
        cents: int = 0
        items: list[str] = []

    back = StateCodec(Cart).decode(
        StateCodec(Cart).encode(Cart(name=Markup("x"), cents=Cents(5), items=("a",)), None).data  # type: ignore[arg-type]
    )

    assert back.state == Cart(name="x", cents=5, items=["a"])


def test_post_init_is_not_run_on_copies() -> None:
    """A walk copies what it changes; the users' own check must not see the half-made copy."""
    seen: list[object] = []

    class Checked(Struct):
        at: datetime
        data: dict[str, Any] = {}

        def __post_init__(self) -> None:
            seen.append(self.data)

    codec = StateCodec(Checked)
    state = Checked(at=NAIVE, data={"at": AWARE})
    seen.clear()

    codec.encode(state, None)

    assert seen == [{"at": {"$datetime": "2026-11-20T12:30:00Z"}}]  # the one decode that checks what was encoded


class Bare(Struct):
    name: str = ""
    items: list["Bare"] = []
    ratio: float = 0.0
    prefs: dict[str, float] = {}
    left: Ref[Text] | None = None
    clock: time | None = None


@pytest.mark.parametrize("type_", [Bare, list[Bare], dict[str, int], str, Annotated[int, msgspec.Meta(ge=0)], Stop])
def test_a_type_without_such_places_is_not_walked(type_: object) -> None:
    """The walk costs only those who need it; `Stop` is the counter-example."""
    step = StepBuilder(outgoing(aware_utc)).step(describe(type_, name="x"))

    assert (step is not None) == (type_ is Stop)


instants = st.datetimes() | st.datetimes(timezones=st.timezones(), min_value=datetime(2, 1, 1))  # noqa: DTZ001


@given(st.dictionaries(st.text(), st.lists(st.none() | instants)))
def test_typed_datetimes_keep_their_instant(value: dict[str, list[datetime | None]]) -> None:
    """Naive ones are read as UTC, all others are the same instant whatever their zone."""
    type_ = dict[str, list[datetime | None]]

    back = decode_value(encode_value(value, as_type=type_), type_)

    assert in_utc(back) == in_utc(value)
    assert all(at.tzinfo is not None for ats in back.values() for at in ats if at is not None)


def in_utc(value: dict[str, list[datetime | None]]) -> dict[str, list[datetime | None]]:
    """Return the instants without their zones."""
    return {
        name: [at and (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC) for at in ats]
        for name, ats in value.items()
    }
