"""The phone page in a real browser: what a person sees, types and hears of, also when the server is killed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.chromium import Chromium, Tab
from tests.integration.notebook import open_gate
from tests.integration.server_process import ServerProcess

BOT = "tests.integration.notebook:app"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """Start one browser for all tests; servers, and with them what the browser stored, differ by their port."""
    with Chromium(tmp_path_factory.mktemp("profile")) as chromium:
        yield chromium


@pytest.fixture
def browser(chromium: Chromium) -> Iterator[Chromium]:
    """Give the test the browser without any tab of an earlier one."""
    yield chromium
    chromium.close_tabs()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """Serve the notebook."""
    with ServerProcess(tmp_path, app=BOT) as server:
        yield server


CHIPS = "[...document.querySelectorAll('#says button')].map(node => node.textContent)"
"""What the page offers to say."""


def open_phone(browser: Chromium, server: ServerProcess, number: str = "") -> Tab:
    """Open a phone and wait until it is connected."""
    tab = browser.tab(f"{server.url}/phone{f'/{number}' if number else ''}")
    tab.wait_for("document.querySelector('#link').dataset.link === 'open' && document.querySelector('#says button')")
    return tab


def say(tab: Tab, text: str) -> None:
    """Type a text where the cursor is, and send it."""
    tab.type(text)
    tab.press("Enter")


def bubbles(tab: Tab, kind: str) -> list[str]:
    """Return the words of the bubbles of a kind (`in`, `out`), without times and notes."""
    texts: list[str] = tab.get(f"[...document.querySelectorAll('#thread .{kind}')].map(node => node.firstChild.data)")
    return texts


def wait_for_bubble(tab: Tab, part: str, *, kind: str = "out", state: str = "delivered") -> None:
    """Wait until a bubble holds the text and is in that state."""
    tab.wait_for(
        f"[...document.querySelectorAll('#thread .{kind}[data-state={state}]')]"
        f".some(node => node.firstChild.data.includes({part!r}))"
    )


def test_a_plan_survives_the_server_in_the_middle_of_its_job(browser: Chromium, tmp_path: Path) -> None:
    """Type plan, see it delivered, kill the server while it works: the page comes back, and the plan comes once."""
    with ServerProcess(tmp_path, command="demo", env={"MEALPLAN_PACE_SECONDS": "2"}) as server:
        tab = open_phone(browser, server)
        say(tab, "plan")
        wait_for_bubble(tab, "plan", kind="in")
        wait_for_bubble(tab, "Analyzing your cart")
        tab.wait_for("document.querySelector('#thread .working')")
        server.kill()
        tab.wait_for("document.querySelector('#link').dataset.link === 'down'")
        say(tab, "how much is it?")
        wait_for_bubble(tab, "how much is it?", kind="in", state="waiting")
        server.start()
        tab.wait_for("document.querySelector('#link').dataset.link === 'open'")
        wait_for_bubble(tab, "how much is it?", kind="in")
        wait_for_bubble(tab, "Shall we cook this?")
        tab.wait_for("!document.querySelector('#thread .working')")
        said, answers = bubbles(tab, "in"), bubbles(tab, "out")

    assert said == ["plan", "how much is it?"]
    assert sum("Analyzing" in answer for answer in answers) == 1
    assert sum("5 dinners" in answer for answer in answers) == 1
    assert sum("Shall we cook this?" in answer for answer in answers) == 1


def test_a_bubble_goes_from_waiting_to_delivered(browser: Chromium, server: ServerProcess) -> None:
    """While nothing answers it is marked and kept, also over a reload; then it is delivered once."""
    tab = open_phone(browser, server)
    server.kill()
    tab.wait_for("document.querySelector('#link').dataset.link === 'down'")
    say(tab, "milk")
    wait_for_bubble(tab, "milk", kind="in", state="waiting")
    tab.wait_for("document.querySelector('#thread .in').innerText.includes('not delivered yet')")
    server.start()
    tab.open(f"{server.url}/phone")

    wait_for_bubble(tab, "noted milk")

    assert bubbles(tab, "in") == ["milk"]
    assert bubbles(tab, "out") == ["noted milk"]
    assert tab.get("Object.keys(localStorage)") == []


def test_the_answer_arrives_live_and_the_page_says_what_is_under_way(
    browser: Chromium, server: ServerProcess, tmp_path: Path
) -> None:
    """Nobody reloads: dots while it works, then the answer; status, version and what can be said follow."""
    tab = open_phone(browser, server)
    assert tab.get("document.querySelector('#version').textContent") != "2"

    say(tab, "work on it")
    wait_for_bubble(tab, "working")
    tab.wait_for("document.querySelector('#flight').textContent.includes('job')")
    open_gate(tmp_path)
    wait_for_bubble(tab, "done WORK ON IT")

    tab.wait_for("document.querySelector('#flight').textContent === 'nothing'")
    assert tab.get("document.querySelector('#status').textContent") == "open"
    assert tab.get("document.querySelector('#version').textContent") == "2"
    assert tab.get("[...document.querySelectorAll('#says button')].map(node => node.textContent)") == [
        "work",
        "think",
        "pick",
    ]


def test_everything_is_reached_with_the_keyboard(browser: Chromium, server: ServerProcess) -> None:
    """The cursor is in the text field; Tab leads to send, phrases and panels; Enter and blank press them."""
    tab = open_phone(browser, server)
    tab.type("first line")
    tab.press("Enter", shift=True)
    tab.type("second line")
    tab.press("Tab")
    assert tab.get("document.activeElement.getAttribute('aria-label')") == "Send"
    tab.press("Enter")
    wait_for_bubble(tab, "noted first line")
    tab.press("Tab")
    tab.press("Tab")
    assert tab.get("document.activeElement.textContent") == "think"
    tab.press("Tab")
    tab.press(" ")
    wait_for_bubble(tab, "Which?")

    assert bubbles(tab, "in") == ["first line\nsecond line", "pick"]
    assert tab.get("document.activeElement.id") == "text"


def test_a_button_of_a_reply_is_pressed(browser: Chromium, server: ServerProcess) -> None:
    """It sends what it stands for; afterwards it is gone, because the question is answered."""
    tab = open_phone(browser, server)
    say(tab, "pick")
    tab.wait_for("document.querySelector('#thread .out button')")

    tab.get("document.querySelector('#thread .out button').click()")
    wait_for_bubble(tab, "red it is")

    assert tab.get("document.querySelectorAll('#thread .out button').length") == 0


def test_markup_stays_text(browser: Chromium, server: ServerProcess) -> None:
    """What people write is never run: not from the page's own field, nor from the server's answers."""
    attack = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    tab = open_phone(browser, server)
    say(tab, attack)
    wait_for_bubble(tab, "noted <img")
    tab.get("document.querySelector('#kept').open = true; 1")
    tab.wait_for("document.querySelector('#state').textContent.includes('<img')")

    assert bubbles(tab, "in") == [attack]
    assert tab.get("document.querySelectorAll('#thread img, #thread script, #state *').length") == 0
    assert "owned" not in tab.get("document.title")


def test_the_page_keeps_to_its_own_policy(browser: Chromium, server: ServerProcess) -> None:
    """Nothing is blocked by the content security policy, nothing is missing, no script fails: diagram included."""
    tab = open_phone(browser, server)
    tab.get("document.querySelector('#drawn').open = true; 1")
    tab.wait_for("document.querySelector('#graph').naturalWidth > 0")
    say(tab, "milk")
    wait_for_bubble(tab, "noted milk")

    assert tab.complaints == []


def test_two_tabs_of_one_number_show_the_same(browser: Chromium, server: ServerProcess) -> None:
    """What is said in one appears in the other, in one order, once."""
    one, other = open_phone(browser, server), open_phone(browser, server)
    say(one, "from one")
    wait_for_bubble(other, "noted from one")
    say(other, "from other")
    wait_for_bubble(other, "noted from other")
    one.show()  # a page that nobody sees does not listen
    wait_for_bubble(one, "noted from other")

    assert bubbles(one, "in") == bubbles(other, "in") == ["from one", "from other"]
    assert bubbles(one, "out") == bubbles(other, "out") == ["noted from one", "noted from other"]


def test_another_number_is_another_conversation(browser: Chromium, server: ServerProcess) -> None:
    """The page of a number shows that number's thread, in whatever spelling it was opened."""
    first = open_phone(browser, server)
    say(first, "milk")
    wait_for_bubble(first, "noted milk")

    first.get("document.querySelector('#other').value = '1 (555) 123-0002'; 1")
    first.get("document.querySelector('#switch').requestSubmit()")
    first.wait_for("document.querySelector('#number')?.textContent === '+15551230002'")
    first.wait_for("document.querySelector('#link').dataset.link === 'open'")
    say(first, "eggs")
    wait_for_bubble(first, "noted eggs")
    again = open_phone(browser, server, "15551230002")

    assert bubbles(first, "in") == ["eggs"]
    wait_for_bubble(again, "noted eggs")
    assert again.get("document.querySelector('#number').textContent") == "+15551230002"


def test_what_is_no_number_is_told_on_the_page(browser: Chromium, server: ServerProcess) -> None:
    """Nothing can be typed there; the field for another number has the cursor."""
    tab = browser.tab(f"{server.url}/phone/abc")

    assert "+15551234567" in tab.get("document.querySelector('#thread').textContent")
    assert "+15551234567" in tab.get("document.querySelector('#mistake').textContent")
    assert tab.get("document.querySelector('#text').disabled") is True
    assert tab.get("document.activeElement.id") == "other"
    assert tab.get("document.querySelector('#other').value") == "abc"


def test_why_a_number_is_refused_is_in_sight_on_a_narrow_screen(browser: Chromium, server: ServerProcess) -> None:
    """The field for another number is far below the thread there, and the reason stands beside it."""
    tab = browser.tab("about:blank")
    tab.show_as(width=390, height=700)
    tab.open(f"{server.url}/phone/abc")
    tab.wait_for("document.activeElement.id === 'other'")

    box = tab.get("(({top, bottom}) => [top, bottom])(document.querySelector('#mistake').getBoundingClientRect())")
    assert 0 <= box[0] < box[1] <= 700


def test_nothing_is_said_to_be_empty_before_it_was_read(browser: Chromium, server: ServerProcess) -> None:
    """A page that reaches nobody does not claim that there are no messages."""
    tab = open_phone(browser, server)
    tab.wait_for("document.querySelector('#thread .none')?.textContent.startsWith('No messages yet')")
    tab.get("lines = []; hasRead = false; draw(); 1")

    assert tab.get("document.querySelector('#thread').textContent") == ""


def test_an_example_that_was_said_is_not_offered_again(browser: Chromium, tmp_path: Path) -> None:
    """Who swapped the salmon has none left to swap; yes and no stand first while the plan waits for them."""
    with ServerProcess(tmp_path, command="demo") as server:
        tab = open_phone(browser, server)
        say(tab, "plan")
        wait_for_bubble(tab, "Shall we cook this?")
        tab.wait_for(f"{CHIPS}.includes('swap salmon for chicken')")
        assert tab.get(CHIPS)[:2] == ["yes", "no"]
        tab.get(
            "[...document.querySelectorAll('#says button')].find(one => one.textContent.startsWith('swap')).click()"
        )
        wait_for_bubble(tab, "Here is what changed")
        tab.wait_for(f"!{CHIPS}.includes('swap salmon for chicken')")

        assert "remove eggplant" in tab.get(CHIPS)


def test_the_last_message_stays_in_sight_while_a_long_text_is_typed(browser: Chromium, server: ServerProcess) -> None:
    """The field grows upwards, and the thread gives way."""
    tab = open_phone(browser, server)
    tab.show_as(width=1280, height=700)
    for number in range(12):
        say(tab, f"note {number}")
        wait_for_bubble(tab, f"noted note {number}")
    tab.type("\n".join("a long text" for _ in range(20)))

    last = tab.get("document.querySelector('#thread li:last-child').getBoundingClientRect().bottom")
    assert last <= tab.get("document.querySelector('#compose').getBoundingClientRect().top")


def test_right_to_left_texts_begin_at_the_right(browser: Chromium, server: ServerProcess) -> None:
    """In what is typed, said and answered."""
    tab = open_phone(browser, server)
    tab.type("مرحبا 123!")
    typed = tab.get("getComputedStyle(document.querySelector('#text')).direction")
    tab.press("Enter")
    wait_for_bubble(tab, "مرحبا", kind="in")
    said = tab.get("getComputedStyle(document.querySelector('#thread .in')).direction")

    assert (typed, said) == ("rtl", "rtl")


def test_a_refused_text_is_told_and_can_be_discarded(browser: Chromium, server: ServerProcess) -> None:
    """It does not hold up what is said after it."""
    tab = open_phone(browser, server)
    tab.get("document.querySelector('#text').removeAttribute('maxlength'); 1")
    say(tab, "x" * 10_001)
    say(tab, "milk")
    wait_for_bubble(tab, "noted milk")
    wait_for_bubble(tab, "xxx", kind="in", state="refused")
    told = tab.get("document.querySelector('[data-state=refused]').innerText")

    tab.get("document.querySelector('[data-state=refused] button').click()")

    assert "10000 are allowed" in told
    assert bubbles(tab, "in") == ["milk"]


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_every_screen(browser: Chromium, server: ServerProcess, *, width: int, dark: bool) -> None:
    """Nothing has to be scrolled sideways, the text field is in sight, and every text stands out from its paper."""
    tab = open_phone(browser, server)
    say(tab, "a word that is much longer than the bubble that it stands in " + "x" * 200)
    wait_for_bubble(tab, "noted")
    tab.show_as(width=width, height=800, dark=dark)

    assert tab.get("document.documentElement.scrollWidth <= innerWidth")
    assert tab.get("document.querySelector('#text').getBoundingClientRect().bottom <= innerHeight")
    assert tab.get(CONTRASTS) >= 4.5


CONTRASTS = """(() => {
  const light = (color) => {
    const [r, g, b] = color.match(/[\\d.]+/g).map(Number).map((part) => part / 255)
      .map((part) => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const paper = (node) => {
    for (; node; node = node.parentElement) {
      const color = getComputedStyle(node).backgroundColor;
      if (!/, 0\\)$/.test(color)) return color;
    }
    return "rgb(255, 255, 255)";
  };
  const nodes = document.querySelectorAll("#thread .in, #thread .out, #number, #link, #says button, dt, dd, .note");
  return Math.min(...[...nodes].map((node) => {
    const [one, other] = [light(getComputedStyle(node).color), light(paper(node))].sort((a, b) => b - a);
    return (one + 0.05) / (other + 0.05);
  }));
})()"""
"""The least contrast of any text to its background, as WCAG counts it; 4.5 is what it asks for."""
