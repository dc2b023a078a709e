"""Words that carry no wish: greetings, politeness, ways to begin a request, articles, little words.

They weigh nothing (or little) when a message is compared with a phrase, so that "hey, could you please skip monday?
thanks!" is as good as "skip monday". They still match when a phrase names them: "thanks" is an intent of its own.
"""

from collections.abc import Sequence

from turnkeeper.dialogue.language.tokens import key_set, keys

DETERMINERS = frozenset({"the", "a", "an", "my", "our", "your"})
"""Where a phrase has one of them any other will do; none will do, too, unless a slot follows ("hold the {item}")."""

ARTICLES = DETERMINERS | {"some", "any", "that", "this", "these", "those"}
"""Stripped from the front of a slot when more follows, and stepped over between the words of a phrase."""

STEPPED_OVER = frozenset({"it", "all", "me", "us"})
"""May stand between the words of a phrase as well ("send us the recipes", "start all over")."""

THANKING = frozenset({"thanks", "thank", "you", "thx", "ty", "tysm", "much", "cheers"})
"""Last words of a thank-you before its "for"."""

REASONS = frozenset({"because", "cause", "cuz", "coz", "bc", "since"})
"""Words that begin a reason."""

JOINERS = REASONS | {"and", "but", "so", "then", "also", "plus", "though"}
"""Words that begin a new clause."""

LIGHT_WEIGHT = 0.25
"""What a little word counts beside a full word: four of them tell as much as one noun."""

LIGHT = key_set(
    """
    i i'd ill id we we'd you me us it its he she they them is are am be being been was were to of for with on in at
    from by do does did doing have has had having will would can could may might should shall get go going there
    here now today tonight tomorrow then as too again really very right also all one up out yet already still only
    actually maybe perhaps probably that what when if or
    """
)
"""Little words: they say something, but seldom what the person wants."""

_PHRASES = """
please|pls|plz|plez|pleas|kindly|if you please|just|simply|hey|hi|hello|hiya|heya|howdy|yo|hey there|hi there
hello there|good morning|good afternoon|good evening|ok|okay|k|kk|alright|all right|right then|well|so|um|umm|uh|uhh
er|hm|hmm|ah|oh|oh hey|ooh|aw|you know|anyway|anyways|thanks|thank you|thankyou|thx|tx|ty|tysm|tks|thanx|cheers
thanks a lot|thanks so much|thanks very much|thank you so much|thank you very much|many thanks|much appreciated
appreciate it|i appreciate it|have a nice day|have a good day|thanks again|thanks a bunch|thanks a million
thanks in advance|xo|xx|xoxo|lol|haha|hehe|btw|by the way|fyi|sorry|sorry to bother you|can you|could you|would you
will you|can i|can we|could i|could we|may i|may we|can you please|can't you|can't we|can't i|couldn't you
couldn't we|won't you|would you mind|do you mind|is it possible to|would it be possible to|is it ok to|is it okay to
is it ok if i|is it ok if we|is it possible for you to|are you able to|am i able to|is there a way to
is there any way to|is there any chance to|any chance you could|any chance we could|any chance i could|i want to
i want you to|i would like to|i would like you to|id like to|id like you to|i would love to|id love to|i need to
i need you to|i have to|i have got to|i got to|i would rather|id rather|i would prefer to|id prefer to|i'm going to
i'm trying to|i was hoping to|i was hoping you could|i was wondering if you could|i was wondering if we could
i was wondering if i could|wondering if you could|i wish to|i decided to|i have decided to|ill|i will|i shall
we will|we want to|we would like to|we would love to|we need to|we need you to|we have to|we have got to
we are going to|we would rather|we decided to|we have decided to|let's|let me|go ahead and|go on and|feel free to
try to|make sure to|remember to|got to|need to|want to|how about we|how about|what about|why don't we|why don't you
why not|you can|you could|you should|maybe we should|we should|maybe|perhaps|i think|i think we should
i think i will|i think ill|i guess|i guess we should|i suppose|i believe|i feel like|my answer is|the answer is
i say|id say|i would say|for me|for us|to me|to us|if possible|if you can|if you could|if that's ok|if that's okay
if it's ok|if it's okay|if it's possible|if you don't mind|when you can|when you get a chance|whenever you can
this time|this week|for this week|next week|for next week|as well|right away|right now|asap|real quick|and then
hope you are well|hope all is well
"""

_BY_FIRST: dict[str, tuple[tuple[str, ...], ...]] = {}
for _phrase in sorted((keys(text) for text in _PHRASES.replace("\n", "|").split("|") if text), key=len):
    _BY_FIRST[_phrase[0]] = (_phrase, *_BY_FIRST.get(_phrase[0], ()))
"""Courtesies by their first word, the longest first."""


def courtesies(said: Sequence[str]) -> list[bool]:
    """Return for each key whether it belongs to a courtesy. Longer courtesies win, each word belongs to one."""
    found = [False] * len(said)
    place = 0
    while place < len(said):
        for phrase in _BY_FIRST.get(said[place], ()):
            if tuple(said[place : place + len(phrase)]) == phrase:
                found[place : place + len(phrase)] = [True] * len(phrase)
                place += len(phrase)
                break
        else:
            place += 1
    return found
