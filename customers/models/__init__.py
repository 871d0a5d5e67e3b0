from customers.models.customers import Customer, Follow, Stage
from customers.models.segments import Segment
from customers.models.sync import SyncSighting
from customers.models.tags import CustomerTagSet, Tag, TagAssignment, TagGroup

__all__ = [
    "Customer",
    "CustomerTagSet",
    "Follow",
    "Segment",
    "Stage",
    "SyncSighting",
    "Tag",
    "TagAssignment",
    "TagGroup",
]
