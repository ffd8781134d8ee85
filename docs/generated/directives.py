"""
The Sphinx extension: a directive for each thing that the pages take from the code, and
C{:metric:} beside Sphinx's own C{:option:} to refer to what stands there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from generated import commands, fields, metrics, public


def _valueOf(name: str) -> Any:
    module, _, name = name.rpartition(".")
    return getattr(import_module(module), name)


class Generated(SphinxDirective):
    """
    Something of the code, as a page shows it.
    """

    optional_arguments = 1
    final_argument_whitespace = True

    def lines(self, argument: str) -> Iterable[str]:
        """
        @return: reStructuredText.
        """
        raise NotImplementedError

    def run(self) -> Sequence[nodes.Node]:
        """
        Put it into the page, which is read again in each build: the code may have changed.
        """
        self.env.note_reread()
        text = "\n".join(self.lines(" ".join(self.arguments)))
        found: Sequence[nodes.Node] = self.parse_text_to_nodes(text, allow_section_headings=True)
        return found


class CommandDirective(Generated):
    """
    C{command}: a command by its name, and those below it.
    """

    def lines(self, argument: str) -> Iterable[str]:
        """
        See L{commands.rendered}.
        """
        return commands.rendered(commands.everyCommand()[argument])


class FieldsDirective(Generated):
    """
    C{fields}: a class by its dotted name.
    """

    def lines(self, argument: str) -> Iterable[str]:
        """
        See L{fields.rendered}.
        """
        return fields.rendered(_valueOf(argument))


class MeaningsDirective(Generated):
    """
    C{meanings}: a mapping from names to their meanings, by its dotted name.
    """

    def lines(self, argument: str) -> Iterable[str]:
        """
        See L{fields.meanings}.
        """
        return fields.meanings(_valueOf(argument))


class LimitsDirective(Generated):
    """
    C{limits}: the table of them.
    """

    def lines(self, argument: str) -> Iterable[str]:
        """
        See L{fields.limits}.
        """
        return fields.limits()


class MetricsDirective(Generated):
    """
    C{metrics}: each.
    """

    def lines(self, argument: str) -> Iterable[str]:
        """
        See L{metrics.rendered}.
        """
        return metrics.rendered()


class PublicDirective(Generated):
    """
    C{public}: a module, and its public names.
    """

    has_content = True

    def lines(self, argument: str) -> Iterable[str]:
        """
        See L{public.rendered}.
        """
        return public.rendered(argument, " ".join(self.content).split())


def setup(app: Sphinx) -> dict[str, Any]:
    """
    What Sphinx calls.
    """
    app.add_object_type("metric", "metric", objname="metric", indextemplate="pair: %s; metric")
    app.add_directive("command", CommandDirective)
    app.add_directive("fields", FieldsDirective)
    app.add_directive("meanings", MeaningsDirective)
    app.add_directive("limits", LimitsDirective)
    app.add_directive("metrics", MetricsDirective)
    app.add_directive("public", PublicDirective)
    return {"parallel_read_safe": True}
