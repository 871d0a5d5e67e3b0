"""Asking a rule about a past day: tags, stages and ownership are known, the rest is not kept."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from customers.segments.nodes import Condition, Node, conditions_of
from customers.segments.values import Refusal, read_moment
from scrm.common.errors import FieldProblem, InvalidInput
from scrm.tenancy.models import Corp


def read_as_of(text: object, *, corp: Corp, now: datetime) -> datetime:
    """A past day (its last instant) or moment; raises InvalidInput for one that is to come.

    Today is asked about as of now.
    """
    try:
        moment = read_moment(text, corp.zone)
    except Refusal as refusal:
        raise _wrong(refusal.code, refusal.message) from None
    if moment.start > now:
        raise _wrong("future", _("The past can be asked about, not what is to come."))
    return min(now, moment.end - timedelta(microseconds=1) if moment.end else moment.start)


def _wrong(code: str, message: str) -> InvalidInput:
    return InvalidInput(message, errors=(FieldProblem("/as_of", code, message),))


def check_past(node: Node) -> None:
    """Raise InvalidInput that names the fields whose past is not known."""
    problems = [
        FieldProblem(
            pointer,
            "not_in_the_past",
            _("What «%(field)s» was on a past day is not kept; tags, stage and staff are.")
            % {"field": leaf.kind.name_in_words(leaf)},
        )
        for pointer, leaf in _forgetful(node, "")
    ]
    if problems:
        sentences = dict.fromkeys(problem.message for problem in problems)
        raise InvalidInput(" ".join(sentences), errors=tuple(problems))


def _forgetful(node: Node, around: str) -> Iterator[tuple[str, Condition]]:
    """Conditions without a past, those of named segments at the place that names them."""
    for leaf in conditions_of(node):
        pointer = around or f"{leaf.pointer}/field"
        if not leaf.kind.knows_past:
            yield pointer, leaf
        for name in leaf.values if leaf.kind.names_rows else ():
            inner = leaf.targets[name].node
            if inner is not None:
                yield from _forgetful(inner, pointer)
