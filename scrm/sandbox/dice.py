"""Reproducible chance and the forms of the platform's identifiers."""

import functools
import random
import string

LETTERS = string.ascii_letters + string.digits


def make_dice(*seed: object) -> random.Random:
    """Return a generator that always rolls the same for the same seed."""
    return random.Random(":".join(map(str, seed)))  # noqa: S311 - a made-up world, no secrets


def draw_text(dice: random.Random, length: int, alphabet: str = LETTERS) -> str:
    # One draw for the whole text: a world of 50 000 customers has some five million letters.
    return dice.randbytes(length).translate(_table(alphabet)).decode()


@functools.cache
def _table(alphabet: str) -> bytes:
    """Return which letter each byte stands for; all are about equally likely."""
    return (alphabet * (256 // len(alphabet) + 1))[:256].encode()


def draw_id(dice: random.Random, prefix: str) -> str:
    """Return an identifier such as `wm…` (customer), `wr…` (group), `et…` (tag), `msg…`."""
    return f"{prefix}{draw_text(dice, 8)}AA{draw_text(dice, 16)}AA"
