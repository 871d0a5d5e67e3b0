from rest_framework.routers import SimpleRouter

from customers.api.handover_views import PlanViewSet, WaitingViewSet
from customers.api.segment_views import SegmentViewSet
from customers.api.tag_views import TagGroupViewSet, TagViewSet
from customers.api.views import CustomerViewSet, StaffViewSet

router = SimpleRouter()
router.register("staff", StaffViewSet, basename="staff")
router.register("customers", CustomerViewSet, basename="customer")
router.register("tag-groups", TagGroupViewSet, basename="tag-group")
router.register("tags", TagViewSet, basename="tag")
router.register("segments", SegmentViewSet, basename="segment")
router.register("handover/unassigned", WaitingViewSet, basename="waiting-customer")
router.register("handover/plans", PlanViewSet, basename="handover-plan")
urlpatterns = router.urls
