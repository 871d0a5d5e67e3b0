from scrm.tenancy.models import Corp


def test_smoke(synced_brand: Corp) -> None:
    from scrm.jobs.models import Job

    print(Job.objects.get(kind="sync").report)
