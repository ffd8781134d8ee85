# -*- test-case-name: ktcp.test.test_trace_report_page -*-
"""
A trace as C{index.html}: one file that needs nothing else, and no network.  Pure
but for reading its own templates, which are in the files C{page.*} beside this.

The data are JSON that the script puts into the page as text, never as markup;
so what a traced program called itself, or sent, is shown and not believed.  A
content security policy admits this script and this style by their hashes, and
nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import lru_cache
from importlib.resources import files

from ktcp.trace.model import Trace
from ktcp.trace.report.pagedata import view

# In JSON, all of these are in strings, where an escape means the same: with them
# a string could end the script element that the data are in.
_MARKUP = {ord(each): f"\\u{ord(each):04x}" for each in "<>&"}


def render(trace: Trace) -> str:
    """
    Make a page of a trace: HTML that loads nothing, and ASCII, whatever is in the trace.
    """
    data = json.dumps(view(trace), separators=(",", ":")).translate(_MARKUP)
    head, tail = _template()
    return f"{head}{data}{tail}"


@lru_cache(maxsize=1)
def _template() -> tuple[str, str]:
    """
    The page before and after its data.
    """
    page, style, script = (_asset(f"page.{kind}") for kind in ("html", "css", "js"))
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)};"
        " img-src data:; base-uri 'none'; form-action 'none'"
    )
    for name, text in (("POLICY", policy), ("STYLE", style), ("SCRIPT", script)):
        page = page.replace(f"@{name}@", text)
    head, _, tail = page.partition("@DATA@")
    return head, tail


def _asset(name: str) -> str:
    """
    The text of a template.
    """
    return (files("ktcp.trace.report") / name).read_text(encoding="ascii")


def _hash(text: str) -> str:
    """
    What a policy calls an element of this text.
    """
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
