"""What subscribers say. Names and slots are those of the product; the phrases are examples of how people put it."""

from turnkeeper import Intent, Text, Weekdays

CHANGEABLE = ("analysis_sent", "modifying", "awaiting_confirmation", "confirmed", "recipes_scheduled")
"""Statuses in which there is a plan that can be changed."""

INTENTS = (
    Intent(
        "plan",
        phrases=(
            "plan",
            "(make|create|start|do) [me|us] [new] (meal plan|dinner plan|plan)",
            "plan [out] (week|meals|dinners|cart|box)",
            "plan dinner",
            "(whats|what is) for dinner",
            "what (can|should) (i|we) (cook|make|eat)",
            "(analyze|check|look at) (cart|box)",
            "(ready|time) to plan",
            "(try again|retry)",
        ),
    ),
    Intent(
        "confirm",
        phrases=(
            "confirm [it|this|that|everything|all|the plan|my plan|plan|order|the order]",
            "(looks|sounds) (good|great|perfect|delicious)",
            "lock it in",
            "(im|we are|all) (done|set)",
            "(finalize|approve) [it|the plan|plan|this]",
            "(love|like) (it|the plan|this plan)",
            "(thats|it is) perfect",
            "perfect",
            "go (ahead|for it)",
            "(that|it) works",
        ),
        when=CHANGEABLE,
        label="confirm the plan",
    ),
    Intent(
        "swap",
        phrases=(
            "(swap|switch|change|exchange|trade|substitute|sub) [out] {old} [out] (for|with|to) {new}",
            "replace {old} (with|by) {new}",
            "[swap|use|have] {new} instead of {old}",
            "{new} rather than {old}",
            "instead of {old} (use|have|get|make|do|want) {new}",
            "turn {old} into {new}",
        ),
        when=CHANGEABLE,
        label="swap one thing for another",
    ),
    Intent(
        "remove",
        phrases=(
            "(remove|delete|drop|exclude) {item} [from (plan|list|cart|box|menu|week|meals)]",
            "(take|leave) out {item}",
            "(take|leave) {item} (out|off)",
            "get rid of {item}",
            "(no|no more|without|hold the) {item}",
            "(dont|doesnt) (want|like|need|include|add|eat) {item}",
            "(allergic to|sick of|tired of|hate|cant eat|out of) {item}",
        ),
        when=CHANGEABLE,
        label="leave something out",
    ),
    Intent(
        "skip",
        phrases=(
            "skip {days}",
            "(not|wont be|not going to be) (cooking|home|here|eating) {days}",
            "(no (cooking|dinner|meal|dinners|meals)|nothing) {days}",
            "(dont|do not|cant) (cook|plan|need dinner|need anything|need food) {days}",
            "(away|out|busy|gone|traveling|travelling|eating out|out of town) {days}",
            "(remove|drop|cancel|delete) {days}",
        ),
        slots={"days": Weekdays()},
        when=CHANGEABLE,
        label="skip a day",
    ),
    Intent(
        "modify",
        phrases=(
            "(modify|change|edit|adjust|tweak|update) [it|something|things|the plan|plan|my plan|my meals|meals]",
            "make [some|a|a few] (change|changes)",
            "(different|another|other) (plan|meals|dinners|options)",
        ),
        when=CHANGEABLE,
        label="change the plan",
    ),
    Intent(
        "undo", phrases=("undo [that|it|the last (one|change|swap)]", "(take|put) (that|it) back", "revert [that|it]")
    ),
    Intent(
        "help",
        phrases=(
            "help [me]",
            "what can (i (say|do|text)|you do)",
            "how does (this|it) work",
            "what (are|were) (my|the) (options|commands)",
            "(im|i am) (lost|confused|stuck)",
            "what do i (do|say) [now|next]",
            "commands",
            "(hi|hello|hey|hola|howdy) [there]",
            "good (morning|afternoon|evening|day)",
            "who (are you|is this)",
        ),
    ),
    Intent(
        "cancel",
        phrases=(
            "cancel [the|my|this] (plan|week|order|request)",
            "never mind",
            "forget (it|about it)",
            "not this week",
            "stop planning",
        ),
        label="drop this week's plan",
    ),
    Intent("new", phrases=("new", "(sign|set) [me] up", "(i am|im) new [here]", "join", "register", "get started")),
    Intent(
        "start_over",
        phrases=("start (over|again|fresh|from scratch)", "restart", "reset [everything|all]", "begin again"),
    ),
    Intent(
        "recipes_now",
        phrases=(
            "(send|text|show|give) [me|us] [the|my|all] (recipe|recipes) [now]",
            "(recipe|recipes) [now]",
            "(where are|can i (get|have|see)) [the|my] recipes",
            "(need|want) [the|my] recipes [now]",
        ),
        when=("confirmed", "recipes_scheduled", "recipes_sent"),
    ),
    Intent(
        "pricing",
        phrases=(
            "how much (is|does|do|would|will) (it|this|that|you|the (plan|service|box)) [cost|charge]",
            "how much",
            "(price|prices|pricing|cost|costs|fee|fees)",
        ),
        keywords=("price", "pricing", "cost", "expensive", "fee"),
    ),
    Intent(
        "continue", phrases=("continue", "(keep|carry) (going|on)", "go on", "(pick up|resume) [where we left off]")
    ),
    Intent(
        "thanks",
        phrases=(
            "(thanks|thank you|thx|ty|cheers)",
            "thank you so much",
            "(i|we|much) (appreciate|appreciated) [it|that]",
        ),
    ),
    Intent(
        "feedback",
        phrases=(
            "feedback [is]",
            "(👍|👎)",
            "(loved|liked|enjoyed|hated|disliked) {item}",
            "{item} (was|were) (great|good|amazing|delicious|tasty|a hit)",
            "{item} (was|were) (awful|bad|terrible|bland|gross|ok|okay|too salty)",
        ),
        slots={"item": Text(max_words=6)},
    ),
)
