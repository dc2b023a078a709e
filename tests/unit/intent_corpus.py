"""Messages to a meal planner and what they mean: the measure by which the matcher is judged.

`MEAL_PLANNER` is what the application declares; `CORPUS` is what people text. Most lines are not in the declared words.
"""

from typing import Any

import msgspec

from mealplan.intents import INTENTS
from turnkeeper.dialogue.understanding.intents import QuestionKind

PLANNED = ("analysis_sent", "modifying", "awaiting_confirmation", "confirmed", "recipes_scheduled")


MEAL_PLANNER = INTENTS


class Asked(msgspec.Struct, frozen=True):
    """A pending question with nothing but what matching needs."""

    name: str
    kind: QuestionKind = "yes_no"
    options: tuple[str, ...] = ()


YES_NO = Asked("ready")


class Line(msgspec.Struct, frozen=True):
    """One message and what it means."""

    text: str
    intent: str
    slots: dict[str, Any] = {}
    status: str = "analysis_sent"
    question: Asked | None = None
    remainder: str = ""


def _swap(text: str, old: str, new: str, remainder: str = "") -> Line:
    return Line(text, "swap", {"old": old, "new": new}, remainder=remainder)


def _remove(text: str, item: str, question: Asked | None = None) -> Line:
    return Line(text, "remove", {"item": item}, question=question)


def _skip(text: str, *days: str, remainder: str = "", question: Asked | None = None) -> Line:
    return Line(text, "skip", {"days": days}, remainder=remainder, question=question)


def _unknown(*texts: str) -> tuple[Line, ...]:
    return tuple(Line(text, "unknown") for text in texts)


def _asked(intent: str, *texts: str) -> tuple[Line, ...]:
    return tuple(Line(text, intent, question=YES_NO) for text in texts)


def _means(intent: str, *texts: str, status: str = "analysis_sent") -> tuple[Line, ...]:
    return tuple(Line(text, intent, status=status) for text in texts)


CORPUS: tuple[Line, ...] = (
    # Plan
    *_means("plan", "plan", "PLAN", "Plan.", "plan please", "hey can you plan my week", status="idle"),
    *_means("plan", "plan our dinners pls", status="idle"),
    *_means("plan", "make me a meal plan", "Hi! Could you make a new plan for us?", status="idle"),
    *_means("plan", "what's for dinner?", status="idle"),
    *_means("plan", "What should I cook", "i'm ready to plan", "plann my week", "paln", "pln", status="idle"),
    *_means("plan", "check my cart", status="idle"),
    *_means("plan", "  plan\n\n", "\u201cplan\u201d", "Plan!!!", "ok plan", status="idle"),
    *_means("plan", "please plan the week, thank you :)", status="idle"),
    # Confirm
    *_means("confirm", "confirm", "Confirm!", "confrm", "cofirm", "confirmm", "confirm it", "looks good"),
    *_means("confirm", "Looks great!!"),
    *_means("confirm", "ok looks good to me, confirm", "lock it in please", "we're all set", "finalize the plan"),
    *_means("confirm", "i like the plan"),
    *_means("confirm", "it's perfect", "sounds delicious", "love it", "loooks good", "please confirm my plan"),
    *_means("confirm", "CONFIRM \U0001f44d"),
    # Swap
    _swap("swap salmon for chicken", "salmon", "chicken"),
    _swap("Swap the Salmon for Chicken please", "Salmon", "Chicken"),
    _swap("swap the wild salmon fillet for chicken thighs", "wild salmon fillet", "chicken thighs"),
    _swap("swpa salmon for chicken", "salmon", "chicken"),
    _swap("swapp salmon with chicken", "salmon", "chicken"),
    _swap("replace the kale with spinach", "kale", "spinach"),
    _swap("can you replcae my kale with some spinach?", "kale", "spinach"),
    _swap("chicken instead of pork", "pork", "chicken"),
    _swap("can we have chicken instead of the pork chops", "pork chops", "chicken"),
    _swap("I'd rather have tofu instead of beef", "beef", "tofu"),
    _swap("could you make it chicken thighs instead of pork?", "pork", "chicken thighs"),
    _swap("instead of salmon can we have shrimp", "salmon", "shrimp"),
    _swap("Hey! Could you please switch out the beef stew for lentil soup? Thanks so much", "beef stew", "lentil soup"),
    _swap("change pork to turkey", "pork", "turkey"),
    _swap("swap salmon for new potatoes", "salmon", "new potatoes"),
    _swap("swap the mac and cheese for fish & chips", "mac and cheese", "fish & chips"),
    _swap("swap salmon for chicken because I hate fish", "salmon", "chicken"),
    _swap("swap salmon for chicken, i'm allergic", "salmon", "chicken"),
    _swap("swap salmon for chicken and skip monday", "salmon", "chicken", remainder="skip monday"),
    _swap("sub the jalape\u00f1os for bell peppers", "jalape\u00f1os", "bell peppers"),
    _swap("trade Mom\u2019s meatloaf for tacos!", "Mom\u2019s meatloaf", "tacos"),
    _swap("tofu rather than chicken", "chicken", "tofu"),
    _swap("swap   the\nsalmon   for\nthe  chicken", "salmon", "chicken"),
    _swap("let's swap the no-bake cookies for fruit", "no-bake cookies", "fruit"),
    _swap("substitute 2% milk for oat milk", "2% milk", "oat milk"),
    _swap("swap salmon w chicken", "salmon", "chicken"),
    _swap("please turn the salmon into a salad", "salmon", "salad"),
    # Remove
    _remove("remove the eggplant", "eggplant"),
    _remove("Remove the eggplant from the list, please", "eggplant"),
    _remove("remvoe eggplant", "eggplant"),
    _remove("can you take out the olives", "olives"),
    _remove("take the blue cheese out", "blue cheese"),
    _remove("no mushrooms please", "mushrooms"),
    _remove("no mushrooms please", "mushrooms", YES_NO),
    _remove("No Mushrooms!", "Mushrooms", YES_NO),
    _remove("hold the onions", "onions"),
    _remove("please don't include peanuts", "peanuts"),
    _remove("we do not want brussels sprouts", "brussels sprouts"),
    _remove("get rid of the canned tuna", "canned tuna"),
    _remove("I hate cilantro", "cilantro"),
    _remove("my daughter is allergic to shrimp", "shrimp"),
    _remove("drop the broccoli, my kids won't eat it", "broccoli"),
    _remove("remove salt and pepper chips", "salt and pepper chips"),
    _remove("leave out anchovies this week", "anchovies"),
    _remove("without olives", "olives"),
    # Skip
    _skip("skip monday", "monday"),
    _skip("Skip Monday.", "monday"),
    _skip("skip monday and weds", "monday", "wednesday"),
    _skip("skip mon, tue & thurs", "monday", "tuesday", "thursday"),
    _skip("skipp wednsday", "wednesday"),
    _skip("not cooking thu", "thursday"),
    _skip("we are not cooking on thursday night", "thursday"),
    _skip("skip mon-wed", "monday", "tuesday", "wednesday"),
    _skip("skip the weekend", "saturday", "sunday"),
    _skip("hey, could you please skip monday? thanks!", "monday"),
    _skip("can we skip this friday", "friday"),
    _skip("no dinner on tuesday", "tuesday"),
    _skip("we won't be home friday", "friday"),
    _skip("i'm out of town saturday and sunday", "saturday", "sunday"),
    _skip("I don't need dinner tuesday", "tuesday"),
    _skip("remove thursday", "thursday"),
    _skip("skip weekdays except friday", "monday", "tuesday", "wednesday", "thursday"),
    _skip("skip tomorrow", "tuesday"),
    _skip("no, skip monday", "monday"),
    _skip("my parents are visiting so skip sunday please", "sunday"),
    _skip("Skip Tuesday!! My mother in law invited us over", "tuesday"),
    _skip("SKIP MONDAY", "monday"),
    _skip("skip tues/thurs", "tuesday", "thursday"),
    _skip("pls skip sat \U0001f64f\U0001f3fd", "saturday"),
    Line("confirm and skip monday", "confirm", remainder="skip monday"),
    Line("remove the kale. Also skip tuesday!", "remove", {"item": "kale"}, remainder="skip tuesday!"),
    _skip("skip breakfast and skip monday", "monday"),
    _skip("don't skip friday, skip saturday", "saturday"),
    _skip("were not home weds or thurs", "wednesday", "thursday"),
    _skip("i hate to ask but can you skip monday", "monday"),
    _remove("REMOVE ALL THE ONIONS", "ONIONS"),
    _remove("remove the chicken from monday", "chicken"),
    _swap("I was thinking maybe chicken instead of beef?", "beef", "chicken"),
    _swap("why don't we swap beef for chicken", "beef", "chicken"),
    _swap("hmm can we do tacos instead of the soup on friday", "soup", "tacos"),
    # Modify, undo, help, new, start over
    *_means("modify", "modify", "I want to change something", "make some changes please", "edit plan"),
    *_means("modify", "can i get a different plan"),
    *_means("undo", "undo", "Undo that", "undo the last change", "take that back", "unod", "please undo it"),
    *_means("help", "help", "HELP", "help!", "hlep", "what can I say?", "what can you do", "how does this work?"),
    *_means("help", "I'm confused", "hello", "hey there", "Good morning!", "who is this?"),
    *_means("help", "hi", status="idle"),
    *_means("help", "help me please", "what do i do now", "what are my options?"),
    *_means("new", "new", "NEW", "sign me up", "I'm new here", "can i sign up?", status="idle"),
    *_means("start_over", "start over", "startover", "Start over!", "restart", "reset", "lets start from scratch"),
    *_means("start_over", "strat over"),
    *_means("start_over", "reset everything", "i want to start again", "begin again", "start over please"),
    *_means("start_over", "can we start over?"),
    # Recipes, pricing, continue, thanks, feedback
    *_means("recipes_now", "recipes now", "send me the recipes", "recipies now", status="confirmed"),
    *_means("recipes_now", "can I get my recipes", "recipe", status="confirmed"),
    *_means("recipes_now", "send recpies please", "i need the recipes now", "RECIPES NOW!!", status="confirmed"),
    *_means("pricing", "how much is it?", "how much does it cost", "pricing", "what's the price?"),
    *_means("pricing", "is it expensive?", "price??"),
    *_means("pricing", "how much do you charge", "hey how much is this", "does it cost anything"),
    *_means("continue", "continue", "keep going", "go on", "contineu", "let's continue", "carry on please"),
    *_means("thanks", "thanks", "Thanks!", "thank you so much", "thx", "ty", "ok thanks", "thanks a lot \U0001f60a"),
    *_means("thanks", "tahnks"),
    *_means("thanks", "thanks for the help", "thank you for all the recipes", "Thanks! \U0001f64f"),
    Line("the tacos were delicious", "feedback", {"item": "tacos"}, status="recipes_sent"),
    Line("We loved the lemon chicken!", "feedback", {"item": "lemon chicken"}, status="recipes_sent"),
    Line("hated the tofu curry", "feedback", {"item": "tofu curry"}, status="recipes_sent"),
    # Answers to a pending question
    *_asked("affirmative", "yes", "Yes!", "y", "yep", "yeah", "yesss", "sure thing", "sounds good", "ok"),
    *_asked("affirmative", "\U0001f44d", "\U0001f44d\U0001f3fd"),
    *_asked("affirmative", "yes please", "of course", "go ahead", "hey yes", "I think so", "ok yes thanks"),
    *_asked("affirmative", "absolutely!", "perfect, thank you"),
    *_asked("affirmative", "k", "alright", "yes yes yes", "that works for me", "no problem", "\u2705", "Yeah, sure"),
    *_asked("affirmative", "sounds goood"),
    *_asked("negative", "no", "No.", "n", "nope", "nah", "no thanks", "no thank you!", "not really", "\U0001f44e"),
    *_asked("negative", "\U0001f44e\U0001f3ff", "nooo"),
    *_asked("negative", "not yet", "no way", "i don't think so", "Not today, thanks", "no, that's wrong"),
    *_asked("negative", "please don't", "ok no", "nah im good"),
    Line("yes but swap the salmon", "affirmative", question=YES_NO, remainder="swap the salmon"),
    Line("Yes, but no mushrooms please", "affirmative", question=YES_NO, remainder="no mushrooms please"),
    Line("yes and skip monday", "affirmative", question=YES_NO, remainder="skip monday"),
    Line("sounds good except monday", "affirmative", question=YES_NO, remainder="except monday"),
    Line("no, swap the salmon for chicken", "negative", question=YES_NO, remainder="swap the salmon for chicken"),
    Line("no skip monday", "negative", question=YES_NO, remainder="skip monday"),
    Line("no i want chicken instead of pork", "negative", question=YES_NO, remainder="i want chicken instead of pork"),
    _skip("skip monday", "monday", question=YES_NO),
    Line("how much is it?", "pricing", question=YES_NO),
    Line("confirm", "confirm", question=YES_NO),
    *_asked("unknown", "maybe", "not sure", "idk", "what?", "yes no", "hmm", "good food is hard to find", "i know"),
    # Words in words, and correct words one letter away
    *_unknown("now", "know", "nothing", "plant", "plane", "planet", "plain", "plaque", "snow", "ship monday", "slip"),
    *_unknown("I will be there now", "renew", "news", "newspaper", "whelp", "helmet", "hell", "swamp", "swab"),
    *_unknown("replica", "resort"),
    *_unknown("I know nothing about plants", "the plane leaves soon", "conform", "confirmed bachelor", "restaurant"),
    *_unknown("preset", "rest"),
    *_unknown("undone", "prince", "rice", "costume", "coast", "pride"),
    # Negations, questions, conditions
    *_unknown("don't skip monday", "do not swap salmon for chicken", "please don't confirm", "never remove the kale"),
    *_unknown("i don't want to confirm yet"),
    *_unknown("did you skip monday?", "what happens if I skip monday", "why did you swap the salmon for chicken?"),
    *_unknown("no need to skip monday"),
    *_unknown("should I skip monday or tuesday?", "how do i skip monday", "I'm not sure I want to start over"),
    *_unknown("if I confirm, can I change it later?"),
    # Idioms and small talk
    *_unknown("no idea", "no way", "no worries", "no problem", "no rush", "no", "yes", "ok", "lol"),
    *_unknown("no it's fine", "where are you from?", "my dog ate the box", "see you later alligator"),
    *_unknown("i love my husband"),
    *_unknown("No skip", "hold on", "skip monday or tuesday", "swap kale for spinach and beef for turkey"),
    *_unknown("skip sundae"),
    *_unknown("swap salmon", "skip the salmon", "no puedo comer pescado", "how do i swap something"),
    *_unknown("I never said skip friday"),
    *_unknown("new phone who dis", "happy new year", "recipe for disaster", "reset my password"),
    *_unknown("what a day", "the weather is nice today", "can you call me", "are you a robot?", "is anybody there"),
    *_unknown("call me maybe"),
    # Other languages, gibberish, nothing
    *_unknown("no puedo el lunes", "el plan de la semana es bueno", "ich m\u00f6chte keine pilze", "bonjour"),
    *_unknown("\u041f\u0440\u0438\u0432\u0435\u0442", "\u660e\u5929\u4e0d\u505a\u996d"),
    *_unknown("asdfghjkl", "qwerty uiop", "xyzzy", "12345", "", "   ", "???", "..."),
    *_means("feedback", "\U0001f44d", "\U0001f44e"),
    *_means("cancel", "never mind", "Nevermind", "cancel my plan", "forget it", "not this week please"),
    *_unknown("\U0001f600\U0001f600", "\u0000", "sdkfjh skdjfh"),
)  # fmt: skip
