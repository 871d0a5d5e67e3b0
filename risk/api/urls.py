from rest_framework.routers import SimpleRouter

from risk.api.checking import CheckViewSet
from risk.api.incidents import IncidentViewSet
from risk.api.lexicons import LexiconViewSet
from risk.api.rules import RiskRuleViewSet

router = SimpleRouter()
router.register("risk/incidents", IncidentViewSet, basename="incident")
router.register("risk/lexicons", LexiconViewSet, basename="lexicon")
router.register("risk/rules", RiskRuleViewSet, basename="risk-rule")
router.register("risk", CheckViewSet, basename="risk")
urlpatterns = router.urls
