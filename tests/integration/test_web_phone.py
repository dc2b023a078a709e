"""The browser phone's routes: a message is durable before it is acknowledged, and bad input gets a clear answer."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from mealplan.flow import flow as meals
from tests.integration.notebook import SETTINGS, flow, open_gate
from turnkeeper.app import App
from turnkeeper.ports.limits import MAX_INBOX
from turnkeeper.stores.memory import MemoryStore
from turnkeeper.web.asgi import build

pytestmark = pytest.mark.anyio

NUMBER = "+15551230001"
MESSAGES = f"/phone/{NUMBER}/messages"


@pytest.fixture
async def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[App]:
    """Run the notebook on a store in memory."""
    monkeypatch.chdir(tmp_path)
    app = App(flow, store=MemoryStore(), settings=SETTINGS)
    async with app.running():
        yield app


@pytest.fixture
async def client(app: App) -> AsyncIterator[httpx.AsyncClient]:
    """Be a browser on this machine."""
    async with browser(app) as client:
        yield client


def browser(app: App, *, anywhere: bool = False) -> httpx.AsyncClient:
    """Return a browser on this machine."""
    transport = httpx.ASGITransport(build(app, phone=True, anywhere=anywhere))
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


async def replies(app: App, client: httpx.AsyncClient, path: str = MESSAGES) -> list[str]:
    """Return what was answered once everything came to rest."""
    for conversation in (await app.store.catalog.find()).items:
        await app.at_rest(conversation.conversation.person, within=SETTINGS.lease * 10)
    return [line["text"] for line in (await client.get(path)).json() if line["direction"] == "out"]


async def test_a_message_is_answered_in_the_thread(app: App, client: httpx.AsyncClient) -> None:
    """What was said and answered is listed, oldest first, by id, direction, text and time."""
    taken = await client.post(MESSAGES, json={"text": "milk", "id": "m1"})
    await replies(app, client)

    assert (taken.status_code, taken.json()) == (202, {"id": "m1", "outcome": "accepted"})
    said, answered = (await client.get(MESSAGES)).json()
    assert set(said) == set(answered) == {"id", "direction", "text", "at"}
    assert (said["id"], said["direction"], said["text"]) == ("m1", "in", "milk")
    assert (answered["direction"], answered["text"]) == ("out", "noted milk")
    assert said["at"] <= answered["at"]
    assert said["at"].endswith("Z")


async def test_a_repeated_id_is_a_duplicate_and_acknowledged(app: App, client: httpx.AsyncClient) -> None:
    """A client that never saw the answer sends again; it counts once."""
    answers = [await client.post(MESSAGES, json={"text": "milk", "id": "m1"}) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [202, 202, 202]
    assert [answer.json()["outcome"] for answer in answers] == ["accepted", "duplicate", "duplicate"]
    assert await replies(app, client) == ["noted milk"]


async def test_the_id_alone_decides_what_is_a_duplicate(app: App, client: httpx.AsyncClient) -> None:
    """Another text under the same id is not taken: the first one stands."""
    await client.post(MESSAGES, json={"text": "milk", "id": "m1"})
    again = await client.post(MESSAGES, json={"text": "eggs", "id": "m1"})

    assert (again.status_code, again.json()["outcome"]) == (202, "duplicate")
    assert await replies(app, client) == ["noted milk"]


async def test_a_message_is_listed_while_its_turn_has_not_ended(
    app: App, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    """Durable is visible: the thread does not wait for the answer."""
    await client.post(MESSAGES, json={"text": "think", "id": "m1"})
    await client.post(MESSAGES, json={"text": "milk", "id": "m2"})

    waiting = (await client.get(MESSAGES)).json()
    open_gate(tmp_path)

    assert [line["id"] for line in waiting] == ["m1", "m2"]
    assert await replies(app, client) == ["thought", "noted milk"]


@pytest.mark.parametrize(
    "spelling", ["+15551230001", "15551230001", "%2B15551230001", "+1 (555) 123-0001", "%201.555.123.0001"]
)
async def test_every_spelling_of_a_number_is_one_conversation(
    app: App, client: httpx.AsyncClient, spelling: str
) -> None:
    """One person is one conversation, however the number is written."""
    await client.post(MESSAGES, json={"text": "milk"})

    await client.post(f"/phone/{spelling}/messages", json={"text": "eggs"})

    assert await replies(app, client) == ["noted milk", "noted eggs"]
    assert await replies(app, client, f"/phone/{spelling}/messages") == ["noted milk", "noted eggs"]


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"{", 400, "not a JSON object"),
        (b"[]", 400, "not a JSON object"),
        (b"", 400, "not a JSON object"),
        (b"\xff\xfe", 400, "not a JSON object"),
        (b'{"text": "\xed\xa0\x80"}', 400, "not UTF-8"),
        (b'{"text": "\\ud800"}', 400, "half of a character"),
        (b'{"text": "milk \\uD83D", "id": "m1"}', 400, "half of a character"),
        (b'{"text": "milk \\uD83D"', 400, "not a JSON object"),
        (b"[" * 100_000, 400, "not a JSON object"),
        (b"{}", 400, '"text" must be a text'),
        (b'{"text": null}', 400, '"text" must be a text'),
        (b'{"text": 5}', 400, '"text" must be a text'),
        (b'{"text": ""}', 400, '"text" must be a text'),
        (b'{"text": " \\n "}', 400, '"text" must be a text'),
        (b'{"text": "\\u0000"}', 400, "the text is empty"),
        (b'{"text": "a", "id": 5}', 400, '"id" must be a text'),
        (b'{"text": "a", "id": ""}', 400, "1 to 256 characters"),
        (json.dumps({"text": "a", "id": "x" * 10_000}).encode(), 400, "1 to 256 characters"),
        (b'{"text": "a", "kind": "admin"}', 400, '"kind" must be'),
        (json.dumps({"text": "x" * 100_000}).encode(), 400, "10000 are allowed"),
        (json.dumps({"text": "x" * 1_000_000}).encode(), 413, "send less"),
    ],
)
async def test_a_bad_body_is_refused_with_a_reason(
    client: httpx.AsyncClient, body: bytes, status: int, reason: str
) -> None:
    """The answer says what is accepted; nothing was taken."""
    answer = await client.post(MESSAGES, content=body, headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json")
    assert reason in answer.json()["error"]
    assert (await client.get(MESSAGES)).json() == []


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", None])
async def test_another_content_type_is_refused(client: httpx.AsyncClient, content_type: str | None) -> None:
    """A form of a foreign page could send these without asking the browser first."""
    headers = {"Content-Type": content_type} if content_type else {}

    answer = await client.post(MESSAGES, content=b'{"text": "milk"}', headers=headers)

    assert answer.status_code == 415
    assert "application/json" in answer.json()["error"]


@pytest.mark.parametrize("number", ["abc", "12", "+1555", "5551230001x9", "+", "%F0%9F%99%82"])
async def test_what_is_no_number_is_refused(client: httpx.AsyncClient, number: str) -> None:
    """Each route says what a number looks like; the page shows it."""
    sent = await client.post(f"/phone/{number}/messages", json={"text": "milk"})
    listed = await client.get(f"/phone/{number}/messages")
    page = await client.get(f"/phone/{number}")

    assert (sent.status_code, listed.status_code, page.status_code) == (400, 400, 400)
    assert "+15551234567" in sent.json()["error"]
    assert 'data-problem="' in page.text
    assert "+15551234567" in page.text


@pytest.mark.parametrize("text", ["👍", "👩‍👩‍👧", "🙂" * 100, "נעים מאוד", "<script>alert(1)</script>", "x" * 10_000])
async def test_any_text_that_fits_is_taken_as_it_is(app: App, client: httpx.AsyncClient, text: str) -> None:
    """Emoji, other scripts, markup and the longest text come back letter for letter."""
    taken = await client.post(MESSAGES, json={"text": text})
    await replies(app, client)

    assert taken.status_code == 202
    assert (await client.get(MESSAGES)).json()[0]["text"] == text


async def test_control_characters_are_dropped_and_the_words_stay(app: App, client: httpx.AsyncClient) -> None:
    """NUL cannot be stored everywhere, and escape sequences would run in an operator's terminal."""
    await client.post(MESSAGES, json={"text": "mi\x00lk\x1b"})

    assert await replies(app, client) == ["noted milk"]


async def test_a_full_inbox_asks_to_send_again(client: httpx.AsyncClient, tmp_path: Path) -> None:
    """503 with Retry-After: nothing was taken, and nothing that was taken before is lost."""
    answers = [await client.post(MESSAGES, json={"text": "think", "id": f"m{n}"}) for n in range(MAX_INBOX + 1)]
    open_gate(tmp_path)

    assert {answer.status_code for answer in answers[:-1]} == {202}
    assert answers[-1].status_code == 503
    assert answers[-1].headers["retry-after"] == "2"
    assert "send it again" in answers[-1].json()["error"]


async def test_buttons_are_offered_and_their_presses_taken(app: App, client: httpx.AsyncClient) -> None:
    """A reply lists its buttons; pressing one sends its data as an action."""
    await client.post(MESSAGES, json={"text": "pick"})
    await replies(app, client)
    offered = (await client.get(MESSAGES)).json()[-1]["buttons"]

    await client.post(MESSAGES, json={"text": offered[0]["data"], "kind": "action"})

    assert offered == [{"text": "Red one", "data": "red"}, {"text": "Blue one", "data": "blue"}]
    assert await replies(app, client) == ["Which?", "red it is"]


async def test_the_state_route_tells_where_it_stands_and_what_can_be_said(app: App, client: httpx.AsyncClient) -> None:
    """Status, version and what is in flight; the stored state only when asked for; phrases from the flow's helps."""
    path = f"/phone/{NUMBER}/state"
    before = (await client.get(path)).json()
    await client.post(MESSAGES, json={"text": "milk"})
    await replies(app, client)

    after = (await client.get(path)).json()
    full = (await client.get(path, params={"full": "1"})).json()

    assert before["conversations"] == []
    assert [each["say"] for each in before["suggestions"]] == ["work", "think", "pick"]
    assert after["conversations"] == [
        {"conversation": f"notebook:{NUMBER}", "status": "open", "version": 1, "waiting": 0, "unsent": 0}
    ]
    assert full["conversations"][0]["state"]["noted"] == ["milk"]


async def test_a_pending_question_can_be_answered_with_a_tap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Yes and no are offered while the stored conversation waits for them, and no longer."""
    monkeypatch.chdir(tmp_path)
    app = App(meals, store=MemoryStore(), settings=SETTINGS)
    async with app.running(), browser(app) as client:
        offered = []
        for text in ("plan", "yes"):
            await client.post(MESSAGES, json={"text": text})
            await replies(app, client)
            answer = await client.get(f"/phone/{NUMBER}/state")
            offered.append([each["say"] for each in answer.json()["suggestions"]])

    assert offered[0][:2] == ["yes", "no"]
    assert "yes" not in offered[1]


async def test_the_thread_shows_the_last_hundred_turns(app: App, client: httpx.AsyncClient) -> None:
    """Its cost does not grow with the conversation's age."""
    for number in range(105):
        await app.handle(NUMBER, app.message(f"note {number}", channel="phone"))

    lines = (await client.get(MESSAGES)).json()

    assert len(lines) == 200
    assert (lines[0]["text"], lines[-1]["text"]) == ("note 5", "noted note 104")


@pytest.mark.parametrize("path", ["/phone", "/phone/+15551230001", "/phone/assets/phone.js", "/phone/assets/phone.css"])
async def test_pages_run_nothing_but_their_own_script(client: httpx.AsyncClient, path: str) -> None:
    """The policy forbids inline scripts, foreign hosts, framing and forms."""
    answer = await client.get(path)

    policy = answer.headers["content-security-policy"]
    assert answer.status_code == 200
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_the_page_says_nothing_about_one_application(client: httpx.AsyncClient) -> None:
    """What stands in it comes from the flow; the library knows no meals."""
    page = (await client.get("/phone")).text
    script = (await client.get("/phone/assets/phone.js")).text

    assert "notebook" in page
    assert not [word for word in ("salmon", "meal", "swap", "cart") if word in page + script]


async def test_markup_in_a_number_stays_text(client: httpx.AsyncClient) -> None:
    """The page repeats what stands in the path, escaped."""
    page = await client.get("/phone/%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E")

    assert "<script>alert" not in page.text


async def test_the_drawing_and_unknown_assets(client: httpx.AsyncClient) -> None:
    """The flow's diagram is an image without scripts; what is not there is 404."""
    drawing = await client.get("/phone/graph.svg")
    missing = await client.get("/phone/assets/phone.py")

    assert drawing.headers["content-type"] == "image/svg+xml"
    assert "script-src" not in drawing.headers["content-security-policy"]
    assert missing.status_code == 404


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "192.168.0.7:8000", ""]
)
async def test_only_browsers_of_this_machine_get_in(client: httpx.AsyncClient, host: str) -> None:
    """A page elsewhere can point a name of its own at 127.0.0.1; the name gives it away."""
    answers = [
        await client.get(path, headers={"Host": host})
        for path in ("/phone", MESSAGES, f"/phone/{NUMBER}/state", f"/phone/{NUMBER}/events", "/phone/graph.svg")
    ]
    sent = await client.post(MESSAGES, json={"text": "milk"}, headers={"Host": host})

    assert {answer.status_code for answer in (*answers, sent)} == {403}
    assert "this machine only" in sent.json()["error"]


async def test_nobody_gets_in_through_a_proxy(client: httpx.AsyncClient) -> None:
    """A proxy in front of a loopback server would open the phone to everybody."""
    answer = await client.get(MESSAGES, headers={"X-Forwarded-For": "203.0.113.7"})

    assert answer.status_code == 403


async def test_the_operator_may_open_it(app: App) -> None:
    """With the explicit choice any name is answered."""
    async with browser(app, anywhere=True) as client:
        answer = await client.get(MESSAGES, headers={"Host": "demo.example", "X-Forwarded-For": "203.0.113.7"})

    assert answer.status_code == 200


async def test_wrong_methods_and_paths_are_told(client: httpx.AsyncClient) -> None:
    """As JSON, with what is allowed."""
    wrong = await client.put(MESSAGES, json={})
    missing = await client.get("/nothing")

    assert (wrong.status_code, set(wrong.headers["allow"].split(", "))) == (405, {"GET", "HEAD", "POST"})
    assert missing.json() == {"error": "Not Found"}


async def test_two_first_requests_start_one_application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a lifespan the first request starts the application; a second one at the same time does not again."""
    monkeypatch.chdir(tmp_path)
    app = App(flow, store="sqlite:///first.db", settings=SETTINGS)
    async with browser(app) as client:
        answers = await asyncio.gather(
            *(client.post(f"/phone/+1555123{n:04}/messages", json={"text": "milk"}) for n in range(20))
        )
        engine = app.engine
        await client.get(MESSAGES)
        assert app.engine is engine
    await app.stop()

    assert {answer.status_code for answer in answers} == {202}
