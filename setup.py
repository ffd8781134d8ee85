"""
The build of ktcp.  The plugin file is listed as a single module on purpose:
listing C{twisted.plugins} as a package would claim a folder that is Twisted's.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'^__version__ = "(.+)"$', (HERE / "ktcp" / "__init__.py").read_text(), re.M)
assert VERSION is not None

# What makes the codings br and zstd; gzip is Python's own.
COMPRESS = ["brotli>=1.1", "zstandard>=0.22"]

LOAD = ["hdrhistogram", "rich"]

COMPLETION = ["argcomplete>=3.2"]


def description() -> str:
    """
    README.md as an index of packages shows it, where no other file of ours is: without the
    pictures, and with the words of each link that leads to a file.

    XXX There is no public address yet that such links, and project_urls, could lead to.
    """
    text = (HERE / "README.md").read_text()
    text = re.sub(r"!\[[^]]*\]\((?!https?:)[^)]*\)\n+", "", text)
    return re.sub(r"\[([^]]*)\]\((?!https?:)[^)]*\)", r"\1", text)


setup(
    name="ktcp",
    version=VERSION[1],
    description="A fast, strict HTTP/1.1 and echo server, as a Twisted plugin",
    long_description=description(),
    long_description_content_type="text/markdown",
    author="The ktcp developers",
    keywords="twisted http server echo load-testing benchmark tracing tcp linux",
    license_expression="MIT",
    license_files=["LICENSE"],
    python_requires=">=3.10",
    package_dir={"": "."},
    packages=find_packages(include=["ktcp", "ktcp.*"]),
    py_modules=["twisted.plugins.ktcp_plugin"],
    package_data={
        "ktcp": ["py.typed"],
        "ktcp.admin": ["dashboard.*"],
        "ktcp.trace.report": ["page.*"],
    },
    entry_points={
        "console_scripts": [
            "ktcp = ktcp.trace.__main__:main",
            "ktcp-load = ktcp.load.__main__:console",
        ]
    },
    zip_safe=False,
    install_requires=[
        "twisted>=24.7",
        "h11>=0.16",
        "service-identity>=24.1",
        "pyopenssl>=24.2",
    ],
    extras_require={
        "admin": ["prometheus-client"],
        # Shells complete ktcp and ktcp-load.
        "completion": COMPLETION,
        "compress": COMPRESS,
        # A load generator that draws: the curve on a terminal, and --png.
        "load": LOAD,
        "plot": ["matplotlib"],
        "test": [
            *COMPLETION,
            *COMPRESS,
            *LOAD,
            # matplotlib for ktcp-load's pictures, numpy as the judge of its statistics, and
            # python-pcapng of the files that ktcp capture writes.
            *("matplotlib", "numpy", "prometheus-client", "python-pcapng"),
            *(
                "pyhamcrest",
                "hypothesis",
                # Of the versions for Python 3.10, one with a contract against cycles.
                "import-linter>=2.15",
                "mypy",
                "mypy-zope",
                "ruff",
                # The build, and what is told of it.
                "build",
                "check-manifest",
                "readme-renderer[md]",
                "towncrier",
                "twine",
            ),
            # With the schemas of Kubernetes, so that nothing is fetched.
            "kubernetes-validate",
        ],
        # All but the first two because the reference is made of what the code says.
        "docs": ["sphinx", "furo", "pydoctor>=25.10", "prometheus-client", *LOAD],
    },
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Environment :: No Input/Output (Daemon)",
        "Framework :: Twisted",
        "Intended Audience :: Developers",
        "Intended Audience :: System Administrators",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3 :: Only",
        *(f"Programming Language :: Python :: 3.{minor}" for minor in range(10, 15)),
        "Programming Language :: Python :: Implementation :: CPython",
        "Topic :: Internet :: WWW/HTTP :: HTTP Servers",
        "Topic :: System :: Networking :: Monitoring",
        "Topic :: System :: Benchmark",
        "Typing :: Typed",
    ],
)
