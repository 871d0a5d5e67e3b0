"""Walking lists that the platform hands out page by page."""

from collections.abc import Callable, Iterator
from typing import Any

from scrm.channels.wecom.parsing import cursor_of

Ask = Callable[[str, dict[str, Any]], dict[str, Any]]


def pages_of(ask: Ask, path: str, question: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every page of an answer; an empty or absent cursor is the end, and so is a repeated one."""
    cursor = ""
    while True:
        page = ask(path, question | {"cursor": cursor} if cursor else question)
        yield page
        following = cursor_of(page)
        if following in {"", cursor}:
            return
        cursor = following
