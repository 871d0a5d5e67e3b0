from django.urls import re_path
from rest_framework.routers import SimpleRouter

from campaigns.api.material_views import MaterialViewSet
from campaigns.api.sop_views import EnrolmentViewSet, SopViewSet
from campaigns.api.views import CampaignViewSet

router = SimpleRouter()
router.register("campaigns", CampaignViewSet, basename="campaign")
router.register("materials", MaterialViewSet, basename="material")
router.register("sops", SopViewSet, basename="sop")
urlpatterns = [
    *router.urls,
    re_path(
        r"^sops/(?P<sop>[^/.]+)/enrolments/(?P<enrolment>[^/.]+)/$",
        EnrolmentViewSet.as_view({"get": "retrieve", "delete": "destroy"}),
        name="enrolment-detail",
    ),
]
