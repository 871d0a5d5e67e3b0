import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('channels', '0005_media_files'),
    ]

    operations = [
        migrations.AddField(
            model_name='apiwindow',
            name='slots',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.IntegerField(), db_default=[], size=None),
        ),
        # Nobody reads rows of the old form any more.
        migrations.RunSQL('DELETE FROM channels_apiwindow', migrations.RunSQL.noop),
    ]
