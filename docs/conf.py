"""
How Sphinx builds these pages; see the Makefile's C{docs}.
"""

from pathlib import Path

import ktcp
from ktcp.options import Options

project = "ktcp"
version = release = ktcp.__version__
copyright = "2026, the ktcp developers"

html_theme = "furo"
html_title = f"ktcp {release}"
exclude_patterns = ["_build", "examples"]
highlight_language = "none"
nitpicky = True

# The options page shows what `twistd ktcp --help` explains, so it cannot go stale.
built = Path(__file__).parent / "_build" / "options.txt"
built.parent.mkdir(exist_ok=True)
built.write_text(Options().getUsage(width=100))
