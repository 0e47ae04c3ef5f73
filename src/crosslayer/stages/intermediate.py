"""Trains the trials of one task: the baseline after each intermediate arm."""

from __future__ import annotations

from crosslayer.stages.sweep import train

if __name__ == "__main__":
    train("intermediate")
