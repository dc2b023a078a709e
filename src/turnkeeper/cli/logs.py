"""Shows the library's log lines on a server's standard error: event names with facts, as text or JSON."""

import logging
import sys

import structlog

from turnkeeper.errors import ConfigurationError


def configure(log_format: str) -> None:
    """Send log lines of INFO and above to standard error.

    Raises:
        ConfigurationError: The format is neither text nor json.
    """
    if log_format not in {"text", "json"}:
        raise ConfigurationError(f"--log-format is text or json, not {log_format!r}")
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.stdlib.ExtraAdder(),
            structlog.processors.format_exc_info,
        ],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("turnkeeper").setLevel(logging.INFO)
