"""The built-in fragment: hand-written grammars that give all four tasks offline, with exact labels.

It shows that the machinery works end to end; it is no evidence about the paper.
"""
