"""Named points at which a test may make the process fail.

Production code calls `reach` where a crash would be worst. Nothing happens there unless a test installed a hook; the
hook may raise, kill the process or wait. It is one hook for the whole process, and it may be called from any thread.
"""

from collections.abc import Callable

POINTS = frozenset(
    {
        "before_begin",
        "after_begin",
        "in_handler",
        "before_step_kept",
        "after_step_kept",
        "before_commit",
        "after_commit",
        "before_send",
        "after_send",
        "before_settle",
        "in_job",
        "in_recovery",
        "sqlite.before_commit",
        "sqlite.after_commit",
    }
)
"""Every name that `reach` is called with. The dotted ones belong to one store, the others to the engine."""

Hook = Callable[[str], None]
"""Called with the point's name, on the thread that reached it."""

_hook: Hook | None = None


def install(hook: Hook) -> None:
    """Call the hook at every point from now on, in place of an earlier one. For tests only."""
    global _hook  # noqa: PLW0603 - one switch for the process, so that a point costs one comparison when unused
    _hook = hook


def clear() -> None:
    """Let every point do nothing again. Safe to call twice."""
    global _hook  # noqa: PLW0603 - see `install`
    _hook = None


def reach(name: str) -> None:
    """Tell the hook, if there is one, that this point was reached; what the hook raises comes through."""
    if _hook is not None:
        _hook(name)
