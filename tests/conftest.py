"""Options and settings for all tests."""

import os
import sys

from hypothesis import HealthCheck, settings

settings.register_profile(
    "default",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile("deep", settings.get_profile("default"), max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

sys.path.insert(0, os.path.dirname(__file__))  # noqa: PTH120 - shared strategies live beside the tests


def pytest_addoption(parser):
    parser.addoption(
        "--update-golden", action="store_true", help="Write the plans of tests/golden as they are now."
    )
