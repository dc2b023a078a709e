"""An order from the shop's webhook to the customer's door, every click a turn."""

import msgspec

from apps.dispatch.tests.orders import Team, later, marketplace, storefront
from turnkeeper import days


def ready(team: Team) -> str:
    """Return an order that every vendor has confirmed."""
    order = team.webhook("dishbee", storefront())
    for vendor, chat in (("JS", "-2001"), ("LR", "-2002")):
        team.press(order, f"{vendor}: 18:30?")
        team.press(order, "✅ 18:30", by=f"Kitchen {vendor}", chat=chat)
    return order


def test_an_order_appears_in_the_group(team: Team) -> None:
    """With its name, the customer, what each vendor prepares, and a button for each thing to do."""
    order = team.webhook("dishbee", storefront())

    text, buttons = team.card(order)
    assert order == "dishbee_26"
    for part in ("dishbee #26", "18:30", "Zoë Müller", "94032", "2x Käsespätzle", "LR: not asked yet", "34.00"):
        assert part in text
    assert buttons == ["JS: asap?", "JS: 18:30?", "JS: later", "LR: asap?", "LR: 18:30?", "LR: later"]


def test_vendors_confirm_each_for_itself(team: Team) -> None:
    """Each hears only of its own part; only when all have confirmed can the order be taken."""
    order = team.webhook("dishbee", storefront())
    answer = team.press(order, "JS: 18:30?")
    question = next(sent.reply for sent in team.telegram.sent if sent.reply.to == "-2001")
    times = [button.text for button in question.buttons]
    thanks = team.press(order, "✅ 18:40", by="Kitchen JS", chat="-2001")
    waiting = team.card(order)[1]
    team.press(order, "LR: asap?")
    team.press(order, "✅ 17:10", by="Kitchen LR", chat="-2002")

    assert (answer, thanks) == ("JS was asked.", "Thank you: 18:40.")
    assert "Käsespätzle" in question.text
    assert "Falafel" not in question.text
    assert times == ["✅ 18:30", "✅ 18:40", "✅ 18:50", "✅ 19:00"]
    assert waiting == ["LR: asap?", "LR: 18:30?", "LR: later"]
    assert team.card(order)[1] == ["🚴 I take it", "👤 Ana", "👤 Ben"]
    assert team.sim.state(order).confirmed_times == {"JS": "18:40", "LR": "17:10"}


def test_a_vendor_can_be_asked_for_a_later_time(team: Team) -> None:
    """Half an hour from now and more, in the team's time zone."""
    order = team.webhook("smoothr", marketplace())
    team.press(order, "HB: later")
    question = next(sent.reply for sent in team.telegram.sent if sent.reply.to == "-2003")

    assert order == "smoothr_123"
    assert [button.text for button in question.buttons] == ["✅ 17:30", "✅ 17:40", "✅ 17:50", "✅ 18:00"]


def test_an_order_is_taken_delivered_and_brought_back(team: Team) -> None:
    """New → assigned → delivered → assigned → new, and the history tells it."""
    order = ready(team)
    statuses = [team.sim.status(order)]
    for text in ("🚴 I take it", "✅ Delivered", "↩️ Not delivered", "↩️ Give back"):
        team.press(order, text)
        statuses.append(team.sim.status(order))

    state = team.sim.state(order)
    assert statuses == ["new", "assigned", "delivered", "assigned", "new"]
    assert [entry["type"] for entry in state.status_history] == [
        "received",
        "time_sent",
        "time_confirmed",
        "time_sent",
        "time_confirmed",
        "assigned",
        "delivered",
        "undelivered",
        "released",
    ]
    assert state.status_history[5]["assigned_to"] == "Ana"
    assert (state.status, state.assigned_to) == ("new", "")


def test_an_order_can_be_given_to_somebody(team: Team) -> None:
    """By name; the card says who has it."""
    order = ready(team)
    answer = team.press(order, "👤 Ben", by="Ana")

    assert answer == "Ben has it."
    assert "With Ben" in team.card(order)[0]


def test_of_two_who_take_it_one_wins_and_the_other_is_told(team: Team) -> None:
    """Both pressed the same button; the second click comes to the order when it is taken."""
    order = ready(team)
    shown = [sent.reply for sent in team.telegram.sent if sent.reply.key == f"{order}|card"][-1]
    take = next(button.data for button in shown.buttons if button.text == "🚴 I take it")
    answers = [team.press_data(take, by=name) for name in ("Ana", "Ben", "Ana")]

    assert answers == ["It is yours.", "Ana already has it.", "Ana already has it."]
    assert team.sim.state(order).assigned_to == "Ana"
    assert sum(entry["type"] == "assigned" for entry in team.sim.state(order).status_history) == 1


def test_a_click_on_an_old_keyboard_changes_nothing(team: Team) -> None:
    """Each answers what holds now: after a give-back, after a second asking, after a confirmation."""
    order = ready(team)
    keyboards = [button.data for sent in team.telegram.sent for button in sent.reply.buttons]
    team.press(order, "🚴 I take it")
    assigned = [button.data for button in team.telegram.sent[-1].reply.buttons]
    team.press(order, "↩️ Give back")
    before = msgspec.json.encode(team.sim.state(order))
    answers = [team.press_data(data) for data in keyboards if "|take|" not in data and "|assign|" not in data]
    answers += [team.press_data(data) for data in assigned]

    assert msgspec.json.encode(team.sim.state(order)) == before
    assert set(answers) == {
        "JS has confirmed already.",
        "LR has confirmed already.",
        "Already confirmed for 18:30.",
        "Nobody has it now.",
    }


def test_a_double_click_counts_once(team: Team) -> None:
    """The same click delivered twice by Telegram, and two clicks by a quick finger."""
    team.webhook("dishbee", storefront())
    data = next(button.data for button in team.telegram.sent[-1].reply.buttons if button.text == "JS: 18:30?")
    answers = [team.press_data(data) for _ in range(2)]

    assert answers == ["JS was asked.", "JS was asked already, for 18:30."]
    assert sum(sent.reply.to == "-2001" for sent in team.telegram.sent) == 1


def test_a_webhook_that_comes_twice_or_too_late_changes_nothing(team: Team) -> None:
    """Twice under one delivery id, twice under two, and an older version after a newer one."""
    order = team.webhook("dishbee", storefront(), delivery="d1")
    team.webhook("dishbee", storefront(), delivery="d1")
    team.webhook("dishbee", storefront(updated_at=later(5), note="newer"), delivery="d2")
    team.webhook("dishbee", storefront(updated_at=later(5), note="newer"), delivery="d3")
    team.webhook("dishbee", storefront(updated_at=later(2), note="older"), delivery="d4")

    state = team.sim.state(order)
    assert state.note == "newer"
    assert [entry["type"] for entry in state.status_history] == ["received", "changed"]


def test_a_changed_order_asks_only_the_vendors_whose_part_changed(team: Team) -> None:
    """What the other one confirmed stands."""
    order = ready(team)
    lines = [*storefront()["line_items"], {"title": "Hummus", "vendor": "LR", "quantity": 1}]
    team.webhook("dishbee", storefront(updated_at=later(5), line_items=lines))

    state = team.sim.state(order)
    assert state.confirmed_times == {"JS": "18:30"}
    assert team.card(order)[1] == ["LR: asap?", "LR: 18:30?", "LR: later"]


def test_two_webhooks_at_once_leave_one_card(team: Team) -> None:
    """The second came before Telegram had told the first card's id: the earlier card is taken back."""
    order = team.webhook("dishbee", storefront())
    team.webhook("dishbee", storefront(updated_at=later(5), note="newer"))
    team.placed(order, "card", "11")
    team.press(order, "JS: asap?")
    team.placed(order, "card", "12")
    team.placed(order, "card", "12")
    posted = [sent.reply for sent in team.telegram.sent if sent.reply.to == "-1001"]

    assert [reply.edits for reply in posted] == ["", "", "11", "11", "12"]
    assert posted[3].text == "⬇️ dishbee #26: below"
    assert not posted[3].buttons
    assert (posted[4].text, posted[4].buttons) == (posted[2].text, posted[2].buttons)


def test_a_card_that_somebody_deleted_is_shown_again_once(team: Team) -> None:
    """Nothing is said about the lost one: there is nothing left to edit."""
    order = team.webhook("dishbee", storefront())
    team.placed(order, "card", "11")
    team.placed(order, "card", "12", lost="11")
    team.press(order, "JS: asap?")

    posted = [sent.reply for sent in team.telegram.sent if sent.reply.to == "-1001"]
    assert [reply.edits for reply in posted] == ["", "12"]


def test_an_order_is_forgotten_after_seven_days(team: Team) -> None:
    """Counted from what happened to it last."""
    order = ready(team)
    team.sim.advance(days(6))
    team.press(order, "🚴 I take it")
    team.sim.advance(days(6))
    kept = team.sim.state(order).assigned_to
    team.sim.advance(days(1))

    left = team.sim.view(order)
    assert kept == "Ana"
    assert left is None or left.exported.state is None


def test_a_vendor_with_a_long_name_can_be_asked(team: Team) -> None:
    """What does not fit into a button's 64 bytes stands there by its digest."""
    name = "Zum goldenen Löwen | Käse & Spätzle"
    order = team.webhook("smoothr", marketplace(restaurants=[{"code": name, "items": ["1x Rösti"]}]))
    (card,) = [sent.reply for sent in team.telegram.sent if sent.reply.key == f"{order}|card"]
    answer = team.press(order, f"{name}: asap?")

    assert all(len(button.data.encode()) <= 64 for button in card.buttons)
    assert answer == f"No chat is known for {name}; call them."


def test_an_order_with_very_many_lines_still_fits_a_message(team: Team) -> None:
    """The card is cut; the order is kept whole."""
    items = [f"{n}x {'Käse' * 20}" for n in range(200)]
    order = team.webhook("smoothr", marketplace(restaurants=[{"code": "HB", "items": items}]))
    team.press(order, "HB: asap?")

    assert all(len(sent.reply.text) < 2100 for sent in team.telegram.sent)
    assert team.sim.state(order).vendor_items == {"HB": items}


def test_an_order_with_very_many_vendors_still_has_its_card(team: Team) -> None:
    """With as many buttons as a message takes; the next ones come up when the first have confirmed."""
    order = team.webhook("dishbee", storefront(line_items=[{"title": "x", "vendor": f"v{n}"} for n in range(60)]))
    text, buttons = team.card(order)

    assert "v59: not asked yet" in text
    assert len(buttons) == 100
    assert team.press(order, "v0: asap?") == "No chat is known for v0; call them."


def test_what_a_button_says_is_never_trusted(team: Team) -> None:
    """A keyboard of an earlier version, or data that somebody made up: answered, and nothing happens."""
    order = team.webhook("dishbee", storefront())
    before = msgspec.json.encode(team.sim.state(order))
    data = ["ask|JS", "ask|JS|99:99|0", "ask|JS|soon|0", "ask|JS|asap|-1", "ask|JS|asap|" + "9" * 5000]
    data += ["placed|||0", "order|||0", "explode|||0", "take|||0|0", "", "confirm|JS|banana|0", "ask|JS|asap|²"]
    answers = [team.tap(f"{order}|{each}") for each in data]

    assert set(answers) == {"This button is out of date."}
    assert msgspec.json.encode(team.sim.state(order)) == before
    assert team.tap("gone|explode") == "This order is no longer known."
    assert [team.tap(each) for each in ("", "|take|||0", "a\nb|take|||0", "{a}:b|take|||0", "x" * 25)] == [None] * 5


def test_an_order_is_json_that_any_code_reads(team: Team) -> None:
    """Every time in it is ISO 8601 text, also those of its history; what others wrote into it stays."""
    order = team.webhook("dishbee", storefront())
    team.press(order, "JS: 18:30?")
    view = team.sim.view(order)
    assert view is not None
    assert view.exported.state is not None
    stored = msgspec.json.decode(view.exported.state)

    assert stored["status_history"] == [
        {"type": "received", "timestamp": "2026-03-02T16:00:00Z"},
        {"type": "time_sent", "vendor": "JS", "time": "18:30", "timestamp": "2026-03-02T16:00:00Z"},
    ]
    assert {"name": "dishbee #26", "status": "new", "confirmed_times": {}}.items() <= stored.items()


def test_a_click_on_an_order_that_nobody_knows_is_answered(team: Team) -> None:
    """It was forgotten after its seven days, or somebody made the data up."""
    answers = [team.press_data(f"gone|{action}|JS|asap|0") for action in ("ask", "take", "delivered", "release")]

    assert answers == ["This order is no longer known."] * 4
