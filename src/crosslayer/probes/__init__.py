"""Measurements on the encoder before any fine-tuning, and on the fusion module as it is built."""
