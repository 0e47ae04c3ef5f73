"""Recorded runs from prediction files of somebody else's code."""
