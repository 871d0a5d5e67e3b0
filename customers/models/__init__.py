from customers.models.customers import (
    Customer,
    CustomerQuerySet,
    Follow,
    FollowQuerySet,
    Stage,
)
from customers.models.segments import Segment
from customers.models.sync import SyncSighting
from customers.models.tags import (
    CustomerTagSet,
    Tag,
    TagAssignment,
    TagGroup,
    TagKind,
    TagQuerySet,
)

__all__ = [
    "Customer",
    "CustomerQuerySet",
    "CustomerTagSet",
    "Follow",
    "FollowQuerySet",
    "Segment",
    "Stage",
    "SyncSighting",
    "Tag",
    "TagAssignment",
    "TagGroup",
    "TagKind",
    "TagQuerySet",
]
