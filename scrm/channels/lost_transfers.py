"""Finding out whether customers are being handed over when the answer to the request was lost."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from scrm.channels.base import Channel, ItemAnswer, TransferState

# Who was asked for and is not in transfer was certainly not taken up: she may be asked for again.
NOT_TAKEN_UP = -1
_WAITING = 2


def find_lost_transfer(channel: Channel, payload: dict[str, Any]) -> tuple[ItemAnswer, ...] | None:
    """What the request `payload` must have been answered; None when it never arrived."""
    states = list(_states(channel, payload))
    return answers_behind(states, payload["external_userids"], earlier=payload.get("earlier", ()))


def answers_behind(
    states: Sequence[TransferState],
    asked: Sequence[str],
    *,
    earlier: Mapping[str, int] | Collection[str],
) -> tuple[ItemAnswer, ...] | None:
    """What a call whose answer was lost must have been told; None when it never arrived.

    `earlier` says how often each was asked for between the same two before. Those results are
    listed still: a transfer under way counts, and so does a row more than there were requests,
    as a customer may have refused before anybody looked. Requests of older versions only list
    who was asked for before: once each.
    """
    before = earlier if isinstance(earlier, Mapping) else dict.fromkeys(earlier, 1)
    rows = Counter(state.external_userid for state in states)
    in_transfer = {state.external_userid for state in states if state.status == _WAITING}
    in_transfer |= {one for one, times in rows.items() if times > before.get(one, 0)}
    if in_transfer.isdisjoint(asked):
        return None
    return tuple(ItemAnswer(one, 0 if one in in_transfer else NOT_TAKEN_UP) for one in asked)


def _states(channel: Channel, payload: dict[str, Any]) -> Iterator[TransferState]:
    """All pages; an empty cursor is the end, and so is a repeated one."""
    pair = payload["from_userid"], payload["to_userid"]
    cursor, is_last = "", False
    while not is_last:
        page = channel.handover.transfer_states(*pair, cursor, is_resigned=payload["is_resigned"])
        yield from page.rows
        is_last = page.next_cursor in {"", cursor}
        cursor = page.next_cursor
