"""Sphinx: MyST pages, furo's looks. `make docs` builds with warnings as errors."""

from __future__ import annotations

project = "mltable_lite"
author = "The mltable_lite contributors"
copyright = author

extensions = ["myst_parser"]
exclude_patterns = ["_build", "examples"]
myst_heading_anchors = 3
suppress_warnings = [
    "myst.xref_missing"
]  # links to files of the repository that are no pages; a test checks them

html_theme = "furo"
html_title = "mltable_lite"
pygments_style = "friendly"
