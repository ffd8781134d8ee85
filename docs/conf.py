"""
How Sphinx builds these pages; see the Makefile's C{docs}.
"""

import sys
from pathlib import Path

import ktcp

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

project = "ktcp"
version = release = ktcp.__version__
copyright = "2026, the ktcp developers"

# generated.directives reads options, metrics and the like from the code; pydoctor makes the
# API reference below api/, as Twisted's.
extensions = ["generated.directives", "sphinx.ext.intersphinx", "pydoctor.sphinx_ext.build_apidocs"]
intersphinx_mapping = {}
pydoctor_url_path = "api/"
pydoctor_args = [
    "--project-name=ktcp",
    f"--project-version={release}",
    f"--project-base-dir={HERE.parent}",
    # The way back from there.
    "--project-url=../index.html",
    "--docformat=epytext",
    "--system-class=generated.links.KTCPSystem",
    "--privacy=HIDDEN:ktcp.test",
    "--privacy=HIDDEN:ktcp.test.**",
    # Who reads those reads the source; a third of the time goes into their pages.
    "--privacy=HIDDEN:**._[!_]*",
    "--html-output={outdir}/api",
    str(HERE.parent / "ktcp"),
]

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["tables.css"]
html_title = f"ktcp {release}"
exclude_patterns = ["_build", "examples"]
highlight_language = "none"
manpages_url = "https://man7.org/linux/man-pages/man{section}/{page}.{section}.html"
nitpicky = True
