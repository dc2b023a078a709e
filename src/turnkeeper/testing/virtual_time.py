"""An event loop in which time is a number, chance decides who runs next, and a whole process can die at once.

Nothing waits: when no task is ready, time jumps to the next timer. A dead process is abandoned, not cancelled: none of
its `finally` clauses runs, as after a kill. The same chance gives the same run, bit by bit.
"""

import asyncio
import collections
import contextlib
import contextvars
import heapq
import random
import types
from asyncio import base_events
from collections.abc import Callable, Coroutine, Generator, Sequence
from typing import Any, TypeVar

T = TypeVar("T")

START_MS = 1_767_603_600_000
"""Where the virtual clock stands at first, milliseconds since 1970 UTC: the Monday morning of `ManualClock`."""

_START = 1_000.0
"""Where the loop's own time begins, in seconds."""


class Process:
    """What lives and dies together: tasks, callbacks and timers that were started on its behalf."""

    __slots__ = ("corpses", "is_dead", "is_frozen", "name", "stash")

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_dead = False
        self.is_frozen = False
        self.stash: list[asyncio.Handle] = []
        self.corpses: list[asyncio.Task[Any]] = []


_process: contextvars.ContextVar[Process | None] = contextvars.ContextVar("virtual_process", default=None)


class VirtualTask(asyncio.Task[T]):
    """A task that knows its place in the order of creation, which is the same in every run."""

    serial = 0
    process: Process | None = None


class Stuck(RuntimeError):  # noqa: N818 - what happened, said in one word
    """Nothing is ready and no timer is set: whatever is awaited will never happen."""


class VirtualLoop(base_events.BaseEventLoop):
    """An event loop on virtual time. It has no sockets, no signals and no threads."""

    _ready: collections.deque[asyncio.Handle]  # these two are what every loop of asyncio's base has
    _stopping: bool

    def __init__(self, chance: random.Random) -> None:
        """Take what decides the order of ready tasks; nothing else draws from it in between."""
        super().__init__()
        self._chance = chance
        self._now = _START
        self._serial = 0
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._kept: set[asyncio.Task[object]] = set()
        self.troubles: list[str] = []
        self.set_exception_handler(self._note_trouble)

    def time(self) -> float:
        """Return the virtual time in seconds; also for `time.monotonic`, see `virtual_monotonic`."""
        return self._now

    def jump(self, seconds: float) -> None:
        """Let time pass without running what becomes due meanwhile, as a host does that slept."""
        self._now += seconds

    def call_soon_threadsafe(  # type: ignore[override]  # the generic signature of 3.11's stub differs by version
        self,
        callback: Callable[..., object],
        *args: Any,  # noqa: ANN401 - as asyncio has it
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        """As `call_soon`: there is one thread."""
        return self.call_soon(callback, *args, context=context)

    def create_task(  # type: ignore[override]  # always a task of this loop's own kind
        self,
        coro: Coroutine[Any, Any, T],
        *,
        name: object = None,
        context: contextvars.Context | None = None,
    ) -> VirtualTask[T]:
        """Start a task on behalf of the process that is running."""
        self._serial += 1
        task = VirtualTask(coro, loop=self, name=str(name or self._serial), context=context)
        task.serial = self._serial
        task.process = _process.get() if context is None else context.get(_process)
        return task

    def spawn(self, process: Process, coro: Coroutine[Any, Any, T]) -> VirtualTask[T]:
        """Start a task on behalf of a process."""
        context = contextvars.copy_context()
        context.run(_process.set, process)
        return self.create_task(coro, context=context)

    def begin(self, process: Process, coro: Coroutine[Any, Any, object]) -> None:
        """Start a task on behalf of a process that nobody waits for."""
        self._kept.add(task := self.spawn(process, coro))
        task.add_done_callback(self._kept.discard)

    def kill(self, process: Process) -> None:
        """Abandon everything of a process: nothing of it ever runs again."""
        process.is_dead = True
        tasks: set[asyncio.Task[Any]] = asyncio.all_tasks(self)
        process.corpses.extend(task for task in tasks if isinstance(task, VirtualTask) and task.process is process)
        process.stash.clear()

    def freeze(self, process: Process) -> None:
        """Stop a process as SIGSTOP does."""
        process.is_frozen = True

    def thaw(self, process: Process) -> None:
        """Let a frozen process go on; everything that became due meanwhile is ready at once. Safe to call twice."""
        process.is_frozen = False
        self._ready.extend(process.stash)
        process.stash.clear()

    def bury(self, processes: Sequence[Process]) -> None:
        """Let go of what dead processes left, once the run is over."""
        for process in processes:
            for task in process.corpses:
                task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001 - it is meant to be pending
                coro = task.get_coro()
                with contextlib.suppress(BaseException):  # a `finally` that awaits or fails; nobody is there to care
                    if coro is not None:
                        coro.close()
            process.corpses.clear()

    def call_at(  # type: ignore[override]  # as `call_soon_threadsafe`
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,  # noqa: ANN401 - as asyncio has it
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """Set a timer. Those of one moment are called in the order in which they were set."""
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        self._serial += 1
        heapq.heappush(self._timers, (when, self._serial, timer))
        return timer

    def call_later(  # type: ignore[override]  # as `call_soon_threadsafe`
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,  # noqa: ANN401 - as asyncio has it
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """Set a timer from now on."""
        return self.call_at(self._now + delay, callback, *args, context=context)

    def _run_once(self) -> None:
        """Run everything that is ready now, in an order by chance; jump to the next timer if nothing is."""
        ready, timers = self._ready, self._timers
        while timers and timers[0][2].cancelled():
            heapq.heappop(timers)
        if not ready and not self._stopping:
            if not timers:
                raise Stuck("nothing is ready and no timer is set")
            self._now = max(self._now, timers[0][0])
        while timers and timers[0][0] <= self._now:
            ready.append(heapq.heappop(timers)[2])
        count = len(ready)
        if count > 1:
            self._mix()
        for _ in range(count):
            handle = ready.popleft()
            if not handle.cancelled():
                self._run(handle)

    def _run(self, handle: asyncio.Handle) -> None:
        context: contextvars.Context = handle._context  # type: ignore[attr-defined]  # noqa: SLF001 - every handle has one
        process = context.get(_process)
        if process is None or not (process.is_dead or process.is_frozen):
            handle._run()  # noqa: SLF001 - what a loop is for
        elif not process.is_dead:
            process.stash.append(handle)

    def _mix(self) -> None:
        """Change the order of ready tasks. Plain callbacks keep theirs, which asyncio promises.

        Tasks are put in the order of their creation first: some were made ready by walking through a set.
        """
        handles = list(self._ready)
        places, steps = [], []
        for place, handle in enumerate(handles):
            callback = handle._callback  # type: ignore[attr-defined]  # noqa: SLF001 - every handle has one
            task = getattr(callback, "__self__", None)
            if isinstance(task, VirtualTask):
                places.append(place)
                steps.append((task.serial, place, handle))
        if len(steps) < 2:  # noqa: PLR2004 - one has no order
            return
        steps.sort()
        self._chance.shuffle(steps)
        for place, (_, _, handle) in zip(places, steps, strict=True):
            handles[place] = handle
        self._ready.clear()
        self._ready.extend(handles)

    def _note_trouble(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.troubles.append(f"{context.get('message')}: {context.get('exception')!r}")

    def _process_events(self, event_list: object) -> None:
        """Do nothing: there are no sockets."""

    def _write_to_self(self) -> None:
        """Do nothing: it never sleeps."""

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Do nothing: cancelled timers are passed over."""


class VirtualClock:
    """Implements `turnkeeper.ports.clock.Clock` on a loop's virtual time."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def now_ms(self) -> int:
        """See `Clock.now_ms`."""
        return START_MS + int((self._loop.time() - _START) * 1_000)

    def monotonic(self) -> float:
        """See `Clock.monotonic`."""
        return self._loop.time()

    async def sleep(self, seconds: float, /) -> None:
        """See `Clock.sleep`."""
        await asyncio.sleep(seconds)


@contextlib.contextmanager
def virtual_monotonic(loop: VirtualLoop, modules: Sequence[types.ModuleType]) -> Generator[None]:
    """Let `time.monotonic()` in these modules mean the loop's time; those that do not import `time` are left alone."""
    stand_in = types.SimpleNamespace(monotonic=loop.time)
    changed = [module for module in modules if hasattr(module, "time")]
    real = [module.time for module in changed]
    for module in changed:
        module.__dict__["time"] = stand_in
    try:
        yield
    finally:
        for module, time in zip(changed, real, strict=True):
            module.__dict__["time"] = time
