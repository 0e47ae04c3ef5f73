"""Data sources, windows of sub-words, and batches."""
