"""The words that carriers reserve count as a whole message, and only so."""

import pytest

from turnkeeper.dialogue.understanding.carrier_words import carrier_word, is_opt_out_request, reserved_collisions
from turnkeeper.dialogue.understanding.intents import Intent


@pytest.mark.parametrize(
    "text",
    [
        *(
            "STOP",
            "stop",
            "Stop.",
            " stop ! ",
            '"STOP"',
            "\u201cSTOP\u201d",
            "\uff33\uff34\uff2f\uff30",
            "\u200bSTOP",
            "\xa1STOP!",
        ),
        *("STOPALL", "stop all", "UNSUBSCRIBE", "CANCEL", "cancel", "END", "end.", "QUIT", "REVOKE"),
        *("OPTOUT", "OPT OUT", "opt-out", "opt  out", "opt\nout"),
    ],
)
def test_a_reserved_word_opts_out(text: str) -> None:
    """Case, white space and punctuation around it do not matter."""
    assert carrier_word(text) == "opt_out"
    assert carrier_word(text, opted_out=True) == "opt_out"


@pytest.mark.parametrize(
    "text",
    [
        *("stop please", "please stop", "cancel my plan", "cancel it", "the end", "weekend", "ending", "unsubscribed"),
        *("don't stop", "stop.stop", "s t o p", "stop 🛑", "nonstop", "remove", "arret", "quit it", "opt", "out", ""),
    ],
)
def test_more_than_the_word_is_for_the_flow(text: str) -> None:
    """No carrier blocks on a sentence; what it means is the flow's to find out."""
    assert carrier_word(text) is None


def test_start_opts_in_and_yes_only_after_an_opt_out() -> None:
    """YES is an ordinary answer of somebody who had not opted out."""
    assert [carrier_word(text) for text in ("START", "unstop", "yes")] == ["opt_in", "opt_in", None]
    assert [carrier_word(text, opted_out=True) for text in ("START", "unstop", "Yes!")] == ["opt_in"] * 3


@pytest.mark.parametrize("text", ["HELP", "help!", "Info", " info? "])
def test_help_is_reserved(text: str) -> None:
    """Both of its words."""
    assert carrier_word(text) == "help"


@pytest.mark.parametrize("text", ["helpful", "help me", "information", "my info"])
def test_a_longer_word_asks_for_no_help(text: str) -> None:
    """A word in a word is no match."""
    assert carrier_word(text) is None


@pytest.mark.parametrize(
    "text",
    [
        *(
            "STOP",
            "stop please",
            "Please stop texting me!",
            "stop 🛑",
            "unsubscribe me",
            "take me off your list",
            "no more texts",
        ),
        *("don't text me anymore", "can you stop messaging me", "I want to opt out", "please remove me from this list"),
        "I revoke my consent",
    ],
)
def test_a_plain_wish_for_silence_is_recognised(text: str) -> None:
    """The law asks to honour any reasonable wording, so a flow can offer to opt out."""
    assert is_opt_out_request(text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "cancel my plan",
            "stop the recipes",
            "don't stop",
            "stop at 5",
            "remove the kale",
            "no more kale",
            "skip monday",
        ),
        *("bus stop", "when does it end", "start", "yes", ""),
    ],
)
def test_a_wish_for_less_is_none_for_silence(text: str) -> None:
    """A part of the service, or something else, must be asked about."""
    assert not is_opt_out_request(text)


def test_phrases_that_a_carrier_takes_are_found() -> None:
    """The author is warned of each, once, with what it means."""
    found = reserved_collisions(
        [
            Intent("cancel", phrases=("cancel [my plan]", "(stop|end) it", "End")),
            Intent("help", phrases=("help [me]",)),
            Intent("go", phrases=("start [now]", "yes {please_do} now"), keywords=("quit",)),
            Intent("skip", phrases=("skip {days}",)),
        ]
    )

    assert [(one.intent, one.phrase, one.word, one.kind) for one in found] == [
        ("cancel", "cancel [my plan]", "cancel", "opt_out"),
        ("cancel", "End", "end", "opt_out"),
        ("help", "help [me]", "help", "help"),
        ("go", "start [now]", "start", "opt_in"),
        ("go", "quit", "quit", "opt_out"),
    ]
    assert "'CANCEL' as a whole message unsubscribes the person" in found[0].text


def test_a_flow_without_reserved_words_has_no_collisions() -> None:
    """Nothing to warn of."""
    assert reserved_collisions([Intent("drop", phrases=("drop my plan",))]) == ()
