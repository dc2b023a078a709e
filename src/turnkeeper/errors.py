"""Every error that Turnkeeper raises, in one tree that answers three questions.

    TurnkeeperError
    ├── RetryableError            nothing was written; repeat as often as you like
    │   ├── StoreUnavailableError     the store did not answer, or refused before it wrote
    │   ├── StoreBusyError            another process holds the file longer than the deadline
    │   └── StoreFullError            disk or memory is full: somebody must make room
    ├── OutcomeUnknownError       sent, the answer was lost; repeat with the same ids
    └── PermanentError            repeating changes nothing; somebody must act
        ├── ConfigurationError        a URL, a setting, an application that cannot be loaded
        │   ├── UnknownStoreError
        │   ├── StoreUnreadableError
        │   └── StoreNewerError
        ├── InvalidFlowError          the flow contradicts itself; names the line at fault
        ├── InvalidMessageError       a message that can never be accepted
        ├── LimitError                a named limit of the ports was exceeded
        ├── InvalidStateError         a value does not fit its declared type
        ├── StateNewerError           written by newer code; left for a newer worker
        ├── StateUndecodableError     set aside whole, never overwritten
        ├── PartGoneError             a large part outlived its retention
        ├── InvalidMatchError         a classifier gave an answer that cannot be one
        └── HandlerError              a handler used the turn in a way that cannot work

Two modules add their own: `turnkeeper.outage` has `StoreDownError`, a StoreUnavailableError that was not even asked,
and `turnkeeper.ports.webhook` what a webhook refuses. Conflict, duplicate, queued and full are no errors but values
(see `turnkeeper.ports.turns`).
"""


class TurnkeeperError(Exception):
    """The root of the tree; catch it to catch everything that Turnkeeper raises."""


class RetryableError(TurnkeeperError):
    """Nothing was written; repeating is safe and may succeed."""


class StoreUnavailableError(RetryableError):
    """The store did not answer, or refused before anything was written."""


class StoreBusyError(RetryableError):
    """Another process held the store for longer than the operation's deadline. Nothing was written."""


class StoreFullError(RetryableError):
    """The disk or the server's memory is full. Nothing was written; make room and repeat."""


class OutcomeUnknownError(TurnkeeperError):
    """The request left, its answer was lost: it may have been applied.

    Every store operation is safe to send twice: repeat it with the same ids to learn the outcome.
    """


class PermanentError(TurnkeeperError):
    """Repeating changes nothing; the message says who must act."""


class ConfigurationError(PermanentError):
    """A setting, a URL or an application reference is wrong; the text says what is accepted."""


class UnknownStoreError(ConfigurationError):
    """No store answers to this URL scheme."""

    def __init__(self, *, url: str, known: tuple[str, ...], advice: str = "") -> None:
        """Take the URL with its password already masked, and what else to say."""
        self.url = url
        self.known = known
        self.advice = advice
        super().__init__(f"no store for {url!r}; use one of: {', '.join(known)}{'; ' if advice else ''}{advice}")


class StoreUnreadableError(ConfigurationError):
    """The file or server is there but is not ours to use: wrong format, rights or type. It was not touched."""


class StoreNewerError(ConfigurationError):
    """The store was written by a newer Turnkeeper. It was not touched; upgrade this process."""

    def __init__(self, *, where: str, found: int, known: int) -> None:
        """Take where the store is and the two schema numbers."""
        self.where = where
        self.found = found
        self.known = known
        super().__init__(
            f"{where} has schema {found}, this Turnkeeper knows up to {known}; "
            "upgrade turnkeeper here, or point it at another store. Nothing was changed."
        )


class InvalidFlowError(PermanentError):
    """A flow contradicts itself. Raised while the application is imported, with the line at fault."""


class InvalidMessageError(PermanentError):
    """A message that can never be accepted. Nothing was written; the text says what is accepted."""


class LimitError(PermanentError):
    """A named limit was exceeded. Nothing was written."""

    def __init__(self, *, limit: str, found: int, allowed: int) -> None:
        """Take the limit's name in `turnkeeper.ports.limits`, what was found and what is allowed."""
        self.limit = limit
        self.found = found
        self.allowed = allowed
        super().__init__(f"{limit} is {allowed}, found {found}; make it smaller or split it")


class InvalidStateError(PermanentError):
    """A value does not fit its declared type. Nothing was written."""

    def __init__(self, *, what: str, reason: str) -> None:
        """Take what was encoded or decoded (a path such as `MealPlan.swaps`) and the reason."""
        self.what = what
        self.reason = reason
        super().__init__(f"{what}: {reason}")


class StateNewerError(PermanentError):
    """The state was written by newer code. The message stays in the inbox for a newer worker."""

    def __init__(self, *, what: str, found: int, known: int) -> None:
        """Take the state type's name and the two schema numbers."""
        self.what = what
        self.found = found
        self.known = known
        super().__init__(f"{what} has schema {found}, this code knows up to {known}; deploy the newer code here too")


class StateUndecodableError(PermanentError):
    """Stored bytes cannot be read as the declared type. They stay as they are."""

    def __init__(self, *, what: str, reason: str) -> None:
        """Take what was decoded and the path and reason of the first misfit."""
        self.what = what
        self.reason = reason
        super().__init__(f"{what} cannot be decoded: {reason}; the stored bytes were left as they are")


class PartGoneError(PermanentError):
    """A large part is no longer kept: it was replaced longer ago than its retention."""

    def __init__(self, *, part_id: str) -> None:
        """Take the id that the reference carries."""
        self.part_id = part_id
        super().__init__(f"part {part_id} is gone: it was replaced and its retention is over")


class HandlerError(PermanentError):
    """A handler used its turn in a way that cannot work, such as replying after its end."""


class InvalidMatchError(PermanentError):
    """A classifier answered what it may not. Nothing was done with its answer."""

    def __init__(self, *, intent: str, confidence: float, reason: str) -> None:
        """Take what was answered and why that is impossible."""
        self.intent = intent
        self.confidence = confidence
        self.reason = reason
        super().__init__(f"the classifier answered {intent!r} with confidence {confidence!r}: {reason}")
