from django.urls import path, re_path
from rest_framework.routers import SimpleRouter

from customers.api.event_views import EventTypeViewSet, EventViewSet
from customers.api.handover_views import PlanViewSet, WaitingViewSet
from customers.api.order_views import OrderViewSet
from customers.api.pretag_views import PretagViewSet
from customers.api.segment_views import SegmentViewSet
from customers.api.tag_views import TagGroupViewSet, TagViewSet
from customers.api.views import CustomerViewSet, StaffViewSet

router = SimpleRouter()
router.register("staff", StaffViewSet, basename="staff")
router.register("customers", CustomerViewSet, basename="customer")
router.register("tag-groups", TagGroupViewSet, basename="tag-group")
router.register("tags", TagViewSet, basename="tag")
router.register("pretags", PretagViewSet, basename="pretag")
router.register("segments", SegmentViewSet, basename="segment")
router.register("events", EventViewSet, basename="event")
router.register("event-types", EventTypeViewSet, basename="event-type")
router.register("handover/unassigned", WaitingViewSet, basename="waiting-customer")
router.register("handover/plans", PlanViewSet, basename="handover-plan")
_ORDER = r"^orders/(?P<shop_id>[^/]+)/(?P<order_no>[^/]+)/$"
urlpatterns = [
    *router.urls,
    # An order is known by its shop and its number, which no router has a form for.
    path("orders/", OrderViewSet.as_view({"get": "list"}), name="order-list"),
    path("orders/batch/", OrderViewSet.as_view({"post": "batch"}), name="order-batch"),
    re_path(
        _ORDER, OrderViewSet.as_view({"get": "retrieve", "put": "update"}), name="order-detail"
    ),
]
