"""claimtrack: decides on the claims of a paper from measured evidence, and reports."""

__version__ = "0.1.0"
