"""What several tests say to the meal planner."""

from turnkeeper.testing import Simulator

ASK = "Shall we cook this? Reply YES, or change it: SWAP, REMOVE or SKIP."


def planned(simulator: Simulator) -> Simulator:
    """Bring it to where a plan waits for a yes."""
    simulator.say("plan")
    assert simulator.status() == "analysis_sent"
    return simulator
