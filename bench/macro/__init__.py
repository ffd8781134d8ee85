"""
The macro benchmarks: one running server against another, over loopback.

C{python -m bench.macro.compare} is the way in; C{bench/README.md} says how to
read what it prints.
"""
