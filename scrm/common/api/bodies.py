"""What a request may say: serializers that name every field they do not know."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from scrm.common.api.problems import field_problems, sentence_of
from scrm.common.errors import FieldProblem, InvalidInput

MAX_BIGINT = 2**63 - 1
MAX_INT = 2**31 - 1


class BodySerializer(serializers.Serializer[Any]):
    """The shape of a JSON body; a field nobody reads is refused instead of silently dropped."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return super().to_internal_value(data)
        writable = {name for name, field in self.fields.items() if not field.read_only}
        problems: dict[str, Any] = {
            str(name): [serializers.ErrorDetail(str(_("There is no such field.")), code="unknown")]
            for name in data
            if name not in writable
        }
        try:
            value = super().to_internal_value(data)
        except serializers.ValidationError as error:
            problems |= cast(dict[str, Any], error.detail)
        else:
            if not problems:
                return value
        raise serializers.ValidationError(problems)

    def checked(self) -> dict[str, Any]:
        """The validated input; raises InvalidInput with a JSON pointer for every problem."""
        if self.is_valid():
            return dict(self.validated_data)
        errors = field_problems(self.errors)
        raise InvalidInput(sentence_of(errors), errors=errors)


class EmptyBody(BodySerializer):
    """No body, or an empty object."""


class IdField(serializers.IntegerField):
    """The id of a row; what does not fit the column is no id."""

    def __init__(self, *, max_value: int = MAX_BIGINT, **kwargs: Any) -> None:
        super().__init__(min_value=1, max_value=max_value, **kwargs)

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, (bool, float)):
            self.fail("invalid")
        return super().to_internal_value(data)


class MomentField(serializers.DateTimeField):
    """RFC 3339 with an offset: a time without one means another moment in every office."""

    default_error_messages = {
        "no_offset": _("Give the time with its offset, such as 2026-03-01T09:00:00+08:00."),
    }

    def to_internal_value(self, value: Any) -> datetime:
        moment = parse_moment(value)
        if moment is None:
            self.fail("invalid", format="YYYY-MM-DDThh:mm:ss+hh:mm")
        if moment.tzinfo is None:
            self.fail("no_offset")
        return moment


def parse_moment(value: Any) -> datetime | None:
    """Read a time; None when it is none, naive when it came without an offset."""
    if not isinstance(value, str):
        return None
    try:
        moment = parse_datetime(value)
        if moment is not None and moment.tzinfo is not None:
            # PostgreSQL must be able to hold it in UTC.
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment


def unknown_id(path: str, message: str) -> InvalidInput:
    """The refusal of an id in a body or a filter that names nothing of this corp."""
    return InvalidInput(f"{path}: {message}", errors=(FieldProblem(path, "unknown", message),))
