"""Runs the command: ``python -m mltable_lite.cli``."""

from mltable_lite.cli import main

main()
