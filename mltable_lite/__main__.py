"""Runs the command: ``python -m mltable_lite``."""

from mltable_lite.cli import main

main()
