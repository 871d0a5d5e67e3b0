from django.db import migrations, models

import scrm.common.encryption


class Migration(migrations.Migration):

    dependencies = [
        ('risk', '0001_rules_archive_incidents'),
    ]

    operations = [
        migrations.AddField(
            model_name='archivecursor',
            name='gap_after',
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='archivecursor',
            name='gap_noted_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='archivecursor',
            name='gap_size',
            field=models.BigIntegerField(default=0, verbose_name='numbers missing'),
        ),
        migrations.AddField(
            model_name='archivecursor',
            name='read_until',
            field=models.DateTimeField(null=True, verbose_name='taken in until'),
        ),
        migrations.AddField(
            model_name='archivedmessage',
            name='payload',
            field=scrm.common.encryption.EncryptedTextField(blank=True, default=''),
            preserve_default=False,
        ),
    ]
