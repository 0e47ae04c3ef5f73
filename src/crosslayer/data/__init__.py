"""Data sources: examples of all tasks in one shape."""
