"""
How Sphinx builds these pages; see the Makefile's C{docs}.
"""

import io
import os
from contextlib import redirect_stdout, suppress
from pathlib import Path

import ktcp
from ktcp.options import Options
from ktcp.trace.__main__ import COMMANDS, makeParser


def commandHelp(command: str) -> str:
    """
    What C{ktcp COMMAND --help} prints.
    """
    text = io.StringIO()
    with redirect_stdout(text), suppress(SystemExit):
        makeParser([command]).parse_args([command, "--help"])
    return text.getvalue()


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

# Likewise for each subcommand of `ktcp`.  argparse wraps to the width that COLUMNS says.
os.environ["COLUMNS"] = "100"
for command in COMMANDS:
    (built.parent / f"ktcp-{command}.txt").write_text(commandHelp(command))
