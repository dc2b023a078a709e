"""`graph`: a flow's diagram as Mermaid text or SVG."""

import sys
from pathlib import Path

from turnkeeper.cli.loading import load_app
from turnkeeper.errors import ConfigurationError


def draw(reference: str, *, flow: str | None, output_format: str, output: str | None) -> None:
    """Write the diagram.

    Raises:
        ConfigurationError: There is no such flow or format, or the file cannot be written.
    """
    app, _ = load_app(reference, store="memory://")
    if flow is not None and flow not in app.flows:
        raise ConfigurationError(f"no flow {flow!r} in {reference}; there are: {', '.join(app.flows)}")
    graph = (app.flows[flow] if flow else app.flow).graph()
    if output_format == "mermaid":
        text = graph.mermaid()
    elif output_format == "svg":
        text = graph.svg()
    else:
        raise ConfigurationError(f"--format is mermaid or svg, not {output_format!r}")
    if output is None:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        return
    try:
        Path(output).write_text(text, encoding="utf-8")
    except OSError as exc:
        raise ConfigurationError(f"cannot write {output}: {exc.strerror}") from exc
