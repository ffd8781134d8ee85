"""
What an operator does to a server that serves, tried under load:
C{python -m bench.macro.operate}.
"""
