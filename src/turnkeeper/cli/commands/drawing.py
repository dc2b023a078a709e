"""`graph`: a flow's diagram as Mermaid text or SVG."""

import sys
from pathlib import Path

from turnkeeper.cli.loading import load_app
from turnkeeper.errors import ConfigurationError


def draw(reference: str, *, flow: str | None, output_format: str | None, output: str | None) -> None:
    """Write the diagram; without a format as the file's name says, else as Mermaid.

    Raises:
        ConfigurationError: There is no such flow or format, or the file cannot be written.
    """
    app, _ = load_app(reference, store="memory://")
    if flow is not None and flow not in app.flows:
        raise ConfigurationError(f"no flow {flow!r} in {reference}; there are: {', '.join(app.flows)}")
    graph = (app.flows[flow] if flow else app.flow).graph()
    if output_format is None:
        output_format = "svg" if output is not None and output.lower().endswith(".svg") else "mermaid"
    if output_format == "mermaid":
        text = graph.mermaid()
    elif output_format == "svg":
        text = graph.svg()
    else:
        raise ConfigurationError(f"--format is mermaid or svg, not {output_format!r}")
    if output is None:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        return
    path = Path(output)
    if path.is_dir():
        raise ConfigurationError(f"cannot write {output}: it is a folder; name a file in it")
    if not path.parent.is_dir():
        raise ConfigurationError(f"cannot write {output}: there is no folder {path.parent}; make it first")
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise ConfigurationError(f"cannot write {output}: {exc.strerror}") from exc
