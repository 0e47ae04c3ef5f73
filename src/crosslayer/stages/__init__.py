"""Entry points of the DVC stages, one module each: ``python -m crosslayer.stages.NAME``."""
