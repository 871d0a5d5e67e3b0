"""What a template card must look like."""

import re
from collections.abc import Callable
from typing import Any

from scrm.sandbox.errors import Refused

TASK_ID = re.compile(r"[0-9A-Za-z_\-@]{1,128}")
KEY_BYTES = 1024
BUTTONS = 6
OPTIONS_OF_A_BUTTON = 10
OPTIONS_OF_A_VOTE = 20
SELECTS = 3
# list → the most rows it may have, and what each row needs
LISTS: dict[str, tuple[int, tuple[str, ...]]] = {
    "horizontal_content_list": (6, ("keyname",)),
    "vertical_content_list": (4, ("title",)),
    "jump_list": (3, ("title",)),
}
# Where a press on the card leads (1 an address, 2 a mini-program) → what is needed for it.
ACTIONS = {1: "url", 2: "appid"}

Fields = dict[str, Any]


def check_card(card: Fields) -> str:
    """Refuse a card that is not well-formed; return the words that tell it best."""
    kind = card.get("card_type")
    if not isinstance(kind, str) or kind not in FORMS:
        raise Refused(40058, "card_type")
    _check_shared(card)
    FORMS[kind](card)
    words = _text(_object(card, "main_title"), "title") or _text(card, "sub_title_text")
    return words or kind


def _check_shared(card: Fields) -> None:
    task_id = card.get("task_id")
    if task_id is not None and not (isinstance(task_id, str) and TASK_ID.fullmatch(task_id)):
        raise Refused(40058, "task_id")
    source = _object(card, "source")
    if source.get("desc_color", 0) not in range(4):
        raise Refused(40058, "source.desc_color")
    for name, (most, needed) in LISTS.items():
        for row in _rows(card, name, 0, most):
            _need(row, name, *needed)
    if "action_menu" in card:
        # What is picked from the menu comes back under the card's task.
        _need_task(card)
        for row in _rows(_object(card, "action_menu"), "action_list", 1, 3):
            _need(row, "action_list", "text", "key")


def _check_text_notice(card: Fields) -> None:
    if not _text(_object(card, "main_title"), "title") and not _text(card, "sub_title_text"):
        raise Refused(40058, "main_title.title or sub_title_text")
    _check_action(card)


def _check_news_notice(card: Fields) -> None:
    _need_title(card)
    if not card.get("card_image") and not card.get("image_text_area"):
        raise Refused(40058, "card_image or image_text_area")
    _check_action(card)


def _check_buttons(card: Fields) -> None:
    _need_title(card)
    _need_task(card)
    for row in _rows(card, "button_list", 1, BUTTONS):
        _need(row, "button_list", "text")
        if row.get("style", 1) not in range(1, 5):
            raise Refused(40058, "button_list.style")
        if row.get("type", 0) == 0:
            _need(row, "button_list", "key")
        if len(str(row.get("key", "")).encode()) > KEY_BYTES:
            raise Refused(40058, "button_list.key")
    if "button_selection" in card:
        selection = _object(card, "button_selection")
        _need(selection, "button_selection", "question_key")
        _check_options(selection, OPTIONS_OF_A_BUTTON)


def _check_vote(card: Fields) -> None:
    _need_title(card)
    _need_task(card)
    box = _object(card, "checkbox")
    _need(box, "checkbox", "question_key")
    if box.get("mode", 0) not in range(2):
        raise Refused(40058, "checkbox.mode")
    _check_options(box, OPTIONS_OF_A_VOTE)
    _need(_object(card, "submit_button"), "submit_button", "text", "key")


def _check_selects(card: Fields) -> None:
    _need_title(card)
    _need_task(card)
    for row in _rows(card, "select_list", 1, SELECTS):
        _need(row, "select_list", "question_key")
        _check_options(row, OPTIONS_OF_A_BUTTON)
    _need(_object(card, "submit_button"), "submit_button", "text", "key")


def _check_action(card: Fields) -> None:
    action = _object(card, "card_action")
    kind = action.get("type")
    if not isinstance(kind, int) or kind not in ACTIONS:
        raise Refused(40058, "card_action.type")
    _need(action, "card_action", ACTIONS[kind])


def _check_options(question: Fields, most: int) -> None:
    ids = [row.get("id") for row in _rows(question, "option_list", 1, most)]
    for row in question["option_list"]:
        _need(row, "option_list", "id", "text")
    if len(set(ids)) != len(ids):
        raise Refused(40058, "option_list.id is repeated")


def _need_title(card: Fields) -> None:
    _need(_object(card, "main_title"), "main_title", "title")


def _need_task(card: Fields) -> None:
    _need(card, "template_card", "task_id")


def _need(fields: Fields, where: str, *names: str) -> None:
    for name in names:
        if not _text(fields, name):
            raise Refused(40058, f"{where}.{name}")


def _text(fields: Fields, name: str) -> str:
    value = fields.get(name, "")
    if not isinstance(value, str):
        raise Refused(40058, name)
    return value


def _object(fields: Fields, name: str) -> Fields:
    value = fields.get(name, {})
    if not isinstance(value, dict):
        raise Refused(40058, name)
    return value


def _rows(fields: Fields, name: str, fewest: int, most: int) -> list[Fields]:
    rows = fields.get(name, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Refused(40058, name)
    if not fewest <= len(rows) <= most:
        raise Refused(40058, f"{name} has {len(rows)} items")
    return rows


FORMS: dict[str, Callable[[Fields], None]] = {
    "text_notice": _check_text_notice,
    "news_notice": _check_news_notice,
    "button_interaction": _check_buttons,
    "vote_interaction": _check_vote,
    "multiple_interaction": _check_selects,
}
