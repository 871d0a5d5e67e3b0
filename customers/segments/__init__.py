"""Rules over customers: their grammar, their SQL, their words, and why somebody is (not) meant.

`customers/actions/segments.py` is the door.
"""
