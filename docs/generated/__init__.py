"""
What the reference pages take from the code, so that they cannot be out of date.

C{commands}, C{fields}, C{metrics} and C{public} read the code and give reStructuredText;
they need nothing of Sphinx.  C{directives} is the extension that puts their text into the
pages, and C{links} lets pydoctor link what is not ours.
"""
