"""Which runs the claim tests see, and the table of verdicts that they end with."""

from claimtrack.pytest_plugin import pytest_generate_tests, pytest_terminal_summary, suite

__all__ = ["pytest_generate_tests", "pytest_terminal_summary", "suite"]
