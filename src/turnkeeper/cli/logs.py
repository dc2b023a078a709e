"""Shows the library's log lines on standard error: event names with facts, as text or JSON."""

import logging
import sys

import structlog
from structlog.typing import EventDict, WrappedLogger

from turnkeeper.errors import ConfigurationError
from turnkeeper.observe.masking import mask_person


def configure(log_format: str, *, is_quiet: bool = False) -> None:
    """Send log lines of INFO and above to standard error, or only warnings.

    Raises:
        ConfigurationError: The format is neither text nor json.
    """
    if log_format not in {"text", "json"}:
        raise ConfigurationError(f"--log-format is text or json, not {log_format!r}")
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        # The plain traceback: the pretty one shows local variables, and with them texts and passwords.
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(),
            structlog.processors.format_exc_info,
            _mask,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("turnkeeper").setLevel(logging.WARNING if is_quiet else logging.INFO)


def _mask(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Mask numbers of people wherever they stand; tracebacks of an application's code quote what it was given."""
    return {key: mask_person(value) if isinstance(value, str) else value for key, value in event.items()}
