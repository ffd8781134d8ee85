"""
How Sphinx builds these pages; see the Makefile's C{docs}.
"""

import dataclasses
import io
import os
import re
import textwrap
from contextlib import redirect_stdout, suppress
from pathlib import Path

import ktcp
from ktcp.load.__main__ import commands
from ktcp.load.compare import parser as comparing
from ktcp.load.result import (
    ERRORS,
    Counts,
    Generator,
    Histogram,
    Machine,
    Plan,
    Result,
    Round,
    Second,
)
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
# And for those of `ktcp-load`.
for name, parser in {**commands()[1], "compare": comparing()}.items():
    built.with_name(f"ktcp-load-{name}.txt").write_text(parser.format_help())


def fieldsOf(kind: type) -> str:
    """
    Tell the fields of a part of a result, from the class that makes it.
    """
    meanings = dict(
        (name, " ".join(meaning.split()))
        for name, meaning in re.findall(
            r"@ivar (\w+): (.*?)(?=\n\s*@|\Z)", kind.__doc__ or "", re.DOTALL
        )
    )
    lines = [kind.__name__]
    for field in dataclasses.fields(kind):
        meaning = re.sub(r"[CL]\{(.*?)\}", r"\1", meanings.get(field.name, ""))
        head = f"  {field.name}: {field.type}"
        lines += textwrap.wrap(
            f"{head.ljust(42)}  {meaning}".rstrip(), 116, subsequent_indent=" " * 44
        )
    return "\n".join(lines) + "\n"


built.with_name("ktcp-load-schema.txt").write_text(
    "\n".join(map(fieldsOf, (Result, Plan, Machine, Counts, Histogram, Second, Generator, Round)))
)
built.with_name("ktcp-load-errors.txt").write_text(
    "".join(f"{kind:10} {meaning}\n" for kind, meaning in ERRORS.items())
)
