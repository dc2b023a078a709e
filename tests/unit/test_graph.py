"""The graph of a flow shows every move once, and reads as Mermaid."""

from collections.abc import Iterable

from msgspec import Struct

from turnkeeper.dialogue.diagram.graph import Graph
from turnkeeper.dialogue.flow import Flow
from turnkeeper.dialogue.turn import Job, Turn
from turnkeeper.dialogue.understanding.intents import Intent
from turnkeeper.model.message import JobFailed
from turnkeeper.policy.durations import days, hours


class Meals(Struct):
    """A state with nothing to complain about."""

    swaps: list[str] = []


def new_flow(*names: str, start: str = "idle") -> Flow[Meals]:
    """Return a flow with these intents."""
    intents = tuple(Intent(name, phrases=(f"please {name}",)) for name in names)
    return Flow("mealplan", Meals, start=start, intents=intents, quiet_after=hours(2), forget_after=days(30))


async def nothing(turn: Turn[Meals]) -> None:
    """Handle anything by doing nothing."""


def moves(graph: Graph) -> Iterable[tuple[str, str, str]]:
    """Return the edges, each with its labels in one text."""
    return {(edge.source, edge.target, ", ".join(label.text for label in edge.labels)) for edge in graph.edges}


def test_all_that_leads_from_one_status_to_another_is_one_edge() -> None:
    """Ten arrows between two boxes say less than one with ten labels."""
    flow = new_flow("plan", "new")
    flow.on("plan", "new", when="idle", to="busy")(nothing)
    flow.timer("weekly", when="idle", to="busy")(nothing)
    flow.on("affirmative", question="sure", when="idle", to="busy")(nothing)

    graph = flow.graph()

    assert moves(graph) == {("idle", "busy", "plan, new, timer weekly, affirmative to sure")}
    assert [label.is_personal for label in graph.edges[0].labels] == [True, True, False, True]


def test_jobs_lead_on_by_their_outcome() -> None:
    """A result and a failure are no words of a person."""
    flow = new_flow()

    @flow.job()
    async def analyze(job: Job) -> str:
        return job.peer

    @flow.result(analyze, when="idle", to="done")
    async def analyzed(turn: Turn[Meals], dinners: str) -> None:
        turn.reply(dinners)

    @flow.failed(analyze, when="idle", to="error")
    async def failed(turn: Turn[Meals], error: JobFailed) -> None:
        turn.reply(error.reason)

    graph = flow.graph()

    assert moves(graph) == {("idle", "done", "analyze done"), ("idle", "error", "analyze failed")}
    assert not any(edge.is_personal for edge in graph.edges)


def test_a_guard_is_named() -> None:
    """It says when the arrow holds."""
    flow = new_flow("plan", "swap")

    def is_hungry(turn: Turn[Meals]) -> bool:
        return turn.is_new

    flow.on("plan", when="idle", to="busy", guard=is_hungry)(nothing)

    flow.on("swap", when="idle", to="busy", guard=lambda turn: turn.is_new)(nothing)

    assert moves(flow.graph()) == {("idle", "busy", "plan [is_hungry], swap [guard]")}


def test_a_handler_that_stays_is_a_loop_in_its_statuses() -> None:
    """What can be said in a status belongs to it."""
    flow = new_flow("plan", "swap")
    flow.on("plan", when="idle", to="busy")(nothing)
    flow.on("swap", when=("busy",))(nothing)

    assert ("busy", "busy", "swap") in moves(flow.graph())


def test_what_holds_everywhere_starts_at_one_node() -> None:
    """An arrow from every status would hide all others; what stays where it is, anywhere, is no move at all."""
    flow = new_flow("plan", "reset", "thanks")
    flow.on("plan", when="idle", to="busy")(nothing)
    flow.on("thanks", aside=True)(nothing)
    flow.start_over("reset", to="idle")
    flow.on_forget(nothing)

    graph = flow.graph()

    assert moves(graph) == {("idle", "busy", "plan"), ("*", "idle", "reset"), ("*", ".", "forgotten")}
    assert [node.text for node in graph.nodes] == ["idle", "busy", "anywhere", "forgotten"]


def test_asking_again_is_a_move_if_it_leads_somewhere() -> None:
    """A stuck job is begun anew."""
    flow = new_flow("plan")

    @flow.job(result_dropped=True)
    async def analyze(job: Job) -> None:
        """Read the cart."""

    plan = flow.on("plan", when="idle", to="busy")(nothing)
    flow.still_working("plan", when="busy", job=analyze, restart=plan)

    assert ("busy", "busy", "plan again") in moves(flow.graph())


def test_mermaid_is_a_state_diagram_with_a_start() -> None:
    """The text goes into any page that draws Mermaid."""
    flow = new_flow("plan", "reset")
    flow.on("plan", when="idle", to="busy")(nothing)
    flow.on_forget(when="busy")(nothing)
    flow.start_over("reset", to="idle")

    assert flow.graph().mermaid() == (
        "stateDiagram-v2\n"
        '    state "anywhere" as node2\n'
        "    [*] --> idle\n"
        "    idle --> busy: plan\n"
        "    busy --> [*]: forgotten\n"
        "    node2 --> idle: reset\n"
    )


def test_mermaid_never_sees_its_own_words_as_names() -> None:
    """A status may be called `end`, hold a dash, or be called like a replacement."""
    flow = new_flow("plan", "swap", "skip", start="end")
    flow.on("plan", when="end", to="sold-out")(nothing)
    flow.on("swap", when="sold-out", to="node1")(nothing)
    flow.on("skip", when="node1", to="end")(nothing)

    assert flow.graph().mermaid() == (
        "stateDiagram-v2\n"
        '    state "end" as node_0\n'
        '    state "sold-out" as node_1\n'
        "    [*] --> node_0\n"
        "    node_0 --> node_1: plan\n"
        "    node_1 --> node1: swap\n"
        "    node1 --> node_0: skip\n"
    )


def test_mermaid_labels_hold_nothing_that_mermaid_reads() -> None:
    """Names of actions come from outside: a colon or semicolon would end the label."""
    flow = new_flow()
    flow.action('a:b;"<c>"%%#é', when="idle", to="busy")(nothing)

    line = flow.graph().mermaid().splitlines()[-1]

    assert line == "    idle --> busy: action a#58;b#59;#34;#60;c#62;#34;#37;#37;#35;é"


def test_the_help_of_a_status_is_in_its_node() -> None:
    """A drawing can show what a person should know there."""
    flow = new_flow("plan")
    flow.status("busy", help="I'm on it.")
    flow.on("plan", when="idle", to="busy")(nothing)

    assert {node.id: node.help for node in flow.graph().nodes} == {"idle": "", "busy": "I'm on it."}
