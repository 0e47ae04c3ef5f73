"""Every claim in every run: sound evidence, values as expected, the verdict that is pinned."""

from claimtrack.pytest_plugin import test_evidence, test_expected, test_fresh_run, test_seal, test_verdict

__all__ = ["test_evidence", "test_expected", "test_fresh_run", "test_seal", "test_verdict"]
