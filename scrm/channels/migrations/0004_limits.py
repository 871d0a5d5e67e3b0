import django.db.models.deletion
from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # Indexes are built beside a running outbox.
    atomic = False

    dependencies = [
        ("channels", "0003_inbox_dead_letters"),
    ]

    operations = [
        migrations.CreateModel(
            name='ApiWindow',
            fields=[
                ('key', models.CharField(max_length=200, primary_key=True, serialize=False)),
                ('until', models.DateTimeField()),
                ('count', models.IntegerField(default=0)),
            ],
        ),
        migrations.RunSQL('ALTER TABLE channels_apiwindow SET UNLOGGED', migrations.RunSQL.noop),
        migrations.CreateModel(
            name='ApiUsage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('endpoint', models.CharField(max_length=80, verbose_name='endpoint')),
                ('day', models.DateField(verbose_name='day')),
                ('calls', models.PositiveIntegerField(default=0, verbose_name='calls')),
                ('minute', models.DateTimeField()),
                ('minute_calls', models.PositiveIntegerField(default=0)),
                ('corp', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.corp')),
            ],
            options={
                'verbose_name': 'calls of a day',
                'verbose_name_plural': 'calls of a day',
                'constraints': [models.UniqueConstraint(fields=('corp', 'endpoint', 'day'), name='api_usage_once_a_day')],
            },
        ),
        AddIndexConcurrently(
            model_name='operation',
            index=models.Index(condition=models.Q(('status__in', ['in_flight', 'unknown', 'parked'])), fields=['status', 'next_attempt_at', 'id'], name='operation_under_way'),
        ),
        AddIndexConcurrently(
            model_name='operation',
            index=models.Index(condition=models.Q(('status', 'pending')), fields=['corp', 'kind', 'priority', 'next_attempt_at', 'id'], name='operation_lanes'),
        ),
        RemoveIndexConcurrently(
            model_name='operation',
            name='operation_queue',
        ),
    ]
