"""How a diagram looks: its sizes, in pixels, and its style sheet, light and dark."""

from turnkeeper.dialogue.diagram.layout import Gaps

NODE_HEIGHT = 36
NODE_RADIUS = 9
NODE_PADDING = 16
NODE_MIN_WIDTH = 76
NODE_SIZE = 13
"""Pixels, as all sizes here; `NODE_SIZE` is that of the letters."""
LABEL_SIZE = 11
LINE_HEIGHT = 15
BASELINE = 0.35
"""How far below the middle letters stand, as a part of their size."""
LABEL_LETTERS = 48
"""Of one label; the names of actions may come from outside, and one long name would stretch the whole drawing."""
TIP = 8
"""Length of an arrow's head."""
END_RADIUS = 9
LOOP_WIDTH = 36
LOOP_HEIGHT = 18
LOOP_BULGE = 8
"""A loop leaves a status at its right side, with its label beyond it."""
GAPS = Gaps(beside=24, least=16, most=56, slope=0.14)
MARGIN = 28
HEAD_HEIGHT = 40
LEGEND_HEIGHT = 24
LEGEND_WIDTH = 250
PORT_SPREAD = 0.7
"""Part of a status's width over which its edges are spread; beyond it they would touch the round corners."""
PORT_STEP = 16
"""Between two edges on one side, where there is room."""

NARROW, WIDE = "fijlrt.,:;'|![]()I ", "mwMW@%"
NARROW_WIDTH, AVERAGE, WIDE_WIDTH = 0.36, 0.6, 0.9
"""Widths of letters as parts of the font's size: what Arial, the system fonts and DejaVu Sans take at most."""

STYLE = """
text{font-family:ui-sans-serif,system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
.paper{fill:#fff}
.node{fill:#f5f7fa;stroke:#8a97a8;stroke-width:1.25}
.start{fill:#e6f0ff;stroke:#2563c9;stroke-width:1.75}
.anywhere{fill:none;stroke:#8a97a8;stroke-width:1.25;stroke-dasharray:4 3}
.name{font-size:13px;font-weight:500;fill:#1c2633}
.heading{font-size:15px;font-weight:600;fill:#1c2633}
.label{font-size:11px;fill:#3d4a5c}
.own{font-style:italic}
.edge{fill:none;stroke:#6b7a8f;stroke-width:1.25}
.self{stroke-dasharray:5 4}
.tip,.dot{fill:#6b7a8f}
.begin{fill:#2563c9;stroke:#2563c9}
@media (prefers-color-scheme:dark){
.paper{fill:#12171f}
.node{fill:#1d2530;stroke:#5d6b7e}
.start{fill:#172a49;stroke:#6ea2f5}
.anywhere{fill:none;stroke:#5d6b7e}
.name,.heading{fill:#e6ebf2}
.label{fill:#b7c2d1}
.edge{stroke:#77869b}
.tip,.dot{fill:#77869b}
.begin{fill:#6ea2f5;stroke:#6ea2f5}
}"""
