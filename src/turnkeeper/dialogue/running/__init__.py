"""How a checked flow runs: `FlowProgram`, which the engine calls once per turn.

A turn is opened (bytes to a ledger), handled (words, results, timers, policies) and closed (a ledger to a draft).
"""

from turnkeeper.dialogue.running.program import FlowProgram

__all__ = ["FlowProgram"]
