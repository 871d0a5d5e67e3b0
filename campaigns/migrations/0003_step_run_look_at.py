from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0002_sops_materials_chats")]

    operations = [
        migrations.AddField(
            model_name="steprun", name="look_at", field=models.DateTimeField(null=True)
        ),
        migrations.RemoveIndex(model_name="steprun", name="step_run_queue"),
        migrations.AddIndex(
            model_name="steprun",
            index=models.Index(
                condition=models.Q(("status", "pending"), ("taken_at__isnull", True)),
                fields=["look_at", "id"],
                name="step_run_look_queue",
            ),
        ),
        migrations.AlterField(
            model_name="enrolment",
            name="status",
            field=models.CharField(
                choices=[
                    ("active", "under way"),
                    ("finished", "went to the end"),
                    ("exited", "left early"),
                    ("cancelled", "taken out"),
                ],
                default="active",
                max_length=9,
                verbose_name="status",
            ),
        ),
    ]
