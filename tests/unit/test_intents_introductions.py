"""Who speaks on a shared number."""

import pytest

from turnkeeper.dialogue.understanding.introductions import MAX_NAME_CHARACTERS, introduction, slug


@pytest.mark.parametrize(
    ("text", "name", "slug"),
    [
        ("This is Ana", "Ana", "ana"),
        ("this is ana", "Ana", "ana"),
        ("THIS IS ANA", "Ana", "ana"),
        ("Hi, it's Ana here", "Ana", "ana"),
        ("I'm Ana", "Ana", "ana"),
        ("I\u2019m Ana!", "Ana", "ana"),
        ("Ana here", "Ana", "ana"),
        ("good morning, ana here", "Ana", "ana"),
        ("hey this is Ana speaking", "Ana", "ana"),
        ("it's ana again", "Ana", "ana"),
        ("My name is Ana.", "Ana", "ana"),
        ("My name's Ana", "Ana", "ana"),
        ("call me Bob", "Bob", "bob"),
        ("this is Mary-Ann", "Mary-Ann", "mary-ann"),
        ("this is o'brien", "O'Brien", "obrien"),
        ("my name is jos\u00e9 luis", "Jos\u00e9 Luis", "jose-luis"),
        ("My name is \u0141ukasz", "\u0141ukasz", "lukasz"),
        ("This is \u0410\u043d\u0430", "\u0410\u043d\u0430", "\u0430\u043d\u0430"),
        ("this is \u5c0f\u660e", "\u5c0f\u660e", "\u5c0f\u660e"),
        ("This is McKenzie", "McKenzie", "mckenzie"),
        ("this is mom", "Mom", "mom"),
        ("It's Dad", "Dad", "dad"),
        ("This is Grace", "Grace", "grace"),
        ("I am Will", "Will", "will"),
        ("this is Ana \U0001f44b\U0001f3fd", "Ana", "ana"),
    ],
)
def test_a_person_introduces_herself(text: str, name: str, slug: str) -> None:
    """The name as it is shown, and as it stands in ids."""
    who = introduction(text)

    assert who is not None
    assert (who.name, who.slug) == (name, slug)


@pytest.mark.parametrize(
    "text",
    """
    I'm hungry|i'm starving|I'm Hungry|im vegan|I'm Italian|I'm allergic|I'm done|I'm sick|I'm here|I'm not Ana|I'm 5
    this is great|This is Great|THIS IS GREAT|this is delicious|this is ridiculous|this is the best|this is too much
    this is spam|it's monday|It's Monday|it's fine|its ok|It's me|it's yummy|i am happy|im good|I'm ok|im ana|its ana
    here|still here|nothing here|nobody here|right here|help here|Ana|hi|hello there|my name is|this is|call me
    this is Ana?|Is this Ana?|is Ana here?|This is Ana and Bob|this is ana's box|This is Ana, skip monday|i will
    I'm Ana Maria Lopez|this is x|this is r2d2|call me maybe|call me later|call me back|this is new here|this is working
    this is so good|I am allergic to nuts|this is confirmed|this is awesomeness|it is what it is|skip monday||   |???
    """.strip()
    .replace("\n", "|")
    .split("|"),
)
def test_other_sentences_are_no_introduction(text: str) -> None:
    """States, remarks, questions and wishes have the same form and name nobody."""
    assert introduction(text.strip()) is None


def test_one_person_has_one_slug() -> None:
    """However she writes her name."""
    assert {slug(name) for name in ("Jos\u00e9", "jose", "JOS\u00c9", "Jose\u0301")} == {"jose"}


def test_marks_of_other_scripts_are_letters() -> None:
    """Only Latin letters lose their accents: elsewhere a mark makes another letter."""
    assert slug("\u0419\u043e\u0441\u0438\u043f") == "\u0439\u043e\u0441\u0438\u043f"


def test_a_name_has_an_end() -> None:
    """It becomes part of a key."""
    assert introduction(f"this is {'Z' + 'x' * MAX_NAME_CHARACTERS}") is None
