"""Sphinx: MyST pages, furo's looks, the API page from the docstrings. `make docs` builds with warnings as errors."""

from __future__ import annotations

project = "mltable_lite"
author = "The mltable_lite contributors"
copyright = author

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "examples"]
myst_heading_anchors = 3
suppress_warnings = [
    "myst.xref_missing"
]  # links to files of the repository that are no pages; a test checks them

# Docstrings: names in single backticks are links where the name is on the page, else code; types stand in signatures.
default_role = "py:obj"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 90
add_module_names = False
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = "mltable_lite"
html_static_path = ["_static"]
html_css_files = ["wide.css"]
pygments_style = "friendly"


def _without_signature(_app, what, _name, _item, _options, signature, _returns):
    """Leave out how a class is called: users get its objects from functions."""
    return ("", None) if signature and what in {"class", "exception"} else None


def setup(app):
    app.connect("autodoc-process-signature", _without_signature)
