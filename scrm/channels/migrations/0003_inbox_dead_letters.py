from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # The inbox is one of the largest tables: it takes callbacks in while the index is made.
    atomic = False

    dependencies = [("channels", "0002_archive_keys")]

    operations = [
        AddIndexConcurrently(
            model_name="inboundevent",
            index=models.Index(
                condition=models.Q(("status", "failed")),
                fields=["corp", "event", "change_type", "-id"],
                name="event_dead_letters",
            ),
        ),
    ]
