from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0003_held_stages_rule_starts"),
    ]

    operations = [
        migrations.AddField(
            model_name="handoveritem",
            name="attempts",
            field=models.PositiveSmallIntegerField(default=0, verbose_name="times asked"),
        ),
        migrations.AddField(
            model_name="handoveritem",
            name="next_attempt_at",
            field=models.DateTimeField(null=True, verbose_name="not before"),
        ),
        migrations.AddIndex(
            model_name="handoveritem",
            index=models.Index(
                condition=models.Q(("chat_id", ""), _negated=True),
                fields=["corp", "chat_id", "status"],
                name="handover_item_by_chat",
            ),
        ),
    ]
