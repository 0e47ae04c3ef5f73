"""crosslayer: a claim-by-claim replication of layer fusion in zero-shot cross-lingual transfer."""

__version__ = "0.1.0"
