"""What subscribers say. Names and slots are those of the product; the phrases are examples of how people put it."""

from turnkeeper import Intent
from turnkeeper.dialogue.slots import Weekdays

INTENTS = (
    Intent(
        "plan",
        phrases=(
            "plan",
            "plan [my|the|this] [week|meals|dinners]",
            "(make|give me|send|do|create|start) [me] [a|the|my|this] [new] [week's|weekly|meal|dinner] plan",
            "meal plan",
            "what(s| is) for dinner [this week]",
            "what (can|should) (i|we) (cook|make|eat) [this week]",
            "(analyze|read|check|look at) [my|the] cart",
            "try again",
            "retry",
        ),
        keywords=("plan",),
        label="make a plan",
    ),
    Intent(
        "confirm",
        phrases=(
            "confirm",
            "confirm [the|my] plan",
            "(looks|sounds) (good|great|perfect|delicious|fine) [to me]",
            "(perfect|great|wonderful|excellent)",
            "(that|it) works [for (me|us)]",
            "go (ahead|for it|with (it|that))",
            "i (like|love) it",
            "(lets|let us) do (it|that|this)",
            "approve[d] [it|the plan]",
        ),
        label="confirm the plan",
    ),
    Intent(
        "swap",
        phrases=(
            "(swap|switch|exchange|trade) [out] {old} (for|with|to|against) {new}",
            "(replace|substitute) {old} (with|by|for) {new}",
            "change {old} (to|for|into) {new}",
            "(use|have|make it|take|give me) {new} (instead of|rather than|in place of) {old}",
            "{new} instead of {old}",
            "{new} (rather than|in place of) {old}",
            "instead of {old} (use|have|make|take|put) {new}",
        ),
        label="swap one thing for another",
    ),
    Intent(
        "remove",
        phrases=(
            "(remove|drop|omit|exclude|delete|ditch) {item}",
            "(take|leave) out {item}",
            "(take|leave) {item} (out|off)",
            "get rid of {item}",
            "no [more] {item}",
            "without {item}",
            "hold the {item}",
            "(i|we) (dont|do not|cant|cannot) (like|want|eat|have) {item}",
            "(allergic to|skip the) {item}",
        ),
        label="leave something out",
    ),
    Intent(
        "skip",
        phrases=(
            "skip {days}",
            "(skip|cancel|drop) [dinner] [on] {days}",
            "(not|no) (cooking|dinner|cook) [on|for] {days}",
            "no {days}",
            "(im|i am|we are|were|well be|will be) (out|away|eating out|not home|not in|busy) [on] {days}",
            "(remove|take out|leave out) {days}",
            "no need for [dinner on] {days}",
            "(eating out|dining out) [on] {days}",
        ),
        slots={"days": Weekdays()},
        label="skip a day",
    ),
    Intent(
        "modify",
        phrases=(
            "(change|modify|edit|adjust|tweak|update) [it|something|the plan|my plan|the menu]",
            "(i|we) (want|would like|need) [to make] [a|some] change[s]",
            "something (else|different)",
            "make [a|some] change[s]",
        ),
        label="change the plan",
    ),
    Intent("undo", phrases=("undo", "undo (that|it|the last [one|change])", "take (that|it) back", "go back")),
    Intent(
        "help",
        phrases=(
            "help",
            "help me",
            "(options|commands|menu)",
            "what can (i|you) (do|say)",
            "how does (this|it) work",
            "what (now|next)",
        ),
        label="get help",
    ),
    Intent(
        "new",
        phrases=("new", "sign [me] up", "(join|subscribe|register)", "new (plan|week|conversation)", "(start|begin) fresh"),
        label="start fresh",
    ),
    Intent("start_over", phrases=("start over", "restart", "reset", "begin again", "start again", "from scratch")),
    Intent(
        "cancel",
        phrases=(
            "cancel [my|the|this] (plan|week|order|request)",
            "never mind",
            "forget (it|about it)",
            "not this week",
            "stop (planning|the plan)",
        ),
        label="drop this week's plan",
    ),
    Intent(
        "recipes_now",
        phrases=(
            "recipes [right] now",
            "(send|give|show) [me] [the|my] recipe[s] [now|please|right now|today]",
            "recipes [please]",
            "(can|could) i (have|get|see) [the|my] recipe[s] [now]",
        ),
        keywords=("recipes",),
        label="get the recipes now",
    ),
    Intent(
        "pricing",
        phrases=(
            "how much (is|does) (it|this|that|everything) [cost|all]",
            "how much [is it|does it cost|do i pay|is my cart]",
            "what (does|will) (it|this) cost",
            "what(s| is) the (price|total|cost)",
        ),
        keywords=("price", "pricing", "cost"),
        label="ask what it costs",
    ),
    Intent("continue", phrases=("continue", "carry on", "go on", "keep going", "where were we", "resume")),
    Intent(
        "thanks",
        phrases=("(thanks|thank you|thx|ty|cheers|much appreciated)", "thank you (so|very) much", "thanks a lot"),
    ),
    Intent(
        "feedback",
        phrases=(
            "(i|we|it|kids) (loved|hated|enjoyed) [it|that|the] {about}",
            "(that|it) was (delicious|great|terrible|bad|awful|amazing|good|too salty|bland)",
            "(👍|👎)",
            "feedback {about}",
            "(the) {about} was (delicious|great|terrible|bad|awful|amazing|good|too salty|bland)",
        ),
        label="give feedback",
    ),
)
