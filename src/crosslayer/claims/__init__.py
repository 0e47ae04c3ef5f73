"""Claims: registry, evidence, verdicts, pins, recorded runs."""
