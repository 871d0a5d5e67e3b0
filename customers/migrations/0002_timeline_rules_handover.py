import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('channels', '0002_archive_keys'),
        ('customers', '0001_initial'),
        ('tenancy', '0002_staff_leaving'),
    ]

    operations = [
        migrations.CreateModel(
            name='ChannelRule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=64, verbose_name='name')),
                ('state', models.CharField(help_text='Exactly, or the beginning of it followed by *.', max_length=64, verbose_name='channel')),
                ('is_active', models.BooleanField(default=True, verbose_name='active')),
                ('active_since', models.DateTimeField(blank=True, null=True, verbose_name='active since')),
                ('corp', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.corp')),
                ('stage', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, to='customers.stage', verbose_name='stage')),
                ('tags', models.ManyToManyField(blank=True, to='customers.tag', verbose_name='tags')),
            ],
            options={
                'verbose_name': 'channel rule',
                'verbose_name_plural': 'channel rules',
                'constraints': [models.UniqueConstraint(fields=('corp', 'state'), name='channel_rule_once_per_state')],
            },
        ),
        migrations.CreateModel(
            name='HandoverPlan',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('resigned', 'of a colleague who has left'), ('in_service', 'of a colleague who stays')], max_length=12, verbose_name='kind')),
                ('rule', models.CharField(choices=[('balanced', 'whom they know first, else who has the least')], default='balanced', max_length=12, verbose_name='rule')),
                ('include_groups', models.BooleanField(default=True, verbose_name='with groups')),
                ('message', models.CharField(blank=True, max_length=200, verbose_name='message to the customer')),
                ('status', models.CharField(choices=[('draft', 'draft'), ('executing', 'being carried out'), ('done', 'done'), ('cancelled', 'cancelled')], default='draft', max_length=12, verbose_name='status')),
                ('created_by', models.CharField(blank=True, max_length=80)),
                ('executed_by', models.CharField(blank=True, max_length=80)),
                ('created_at', models.DateTimeField(verbose_name='created')),
                ('executed_at', models.DateTimeField(null=True, verbose_name='executed')),
                ('finished_at', models.DateTimeField(null=True, verbose_name='finished')),
                ('corp', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.corp')),
                ('from_staff', models.ForeignKey(on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='tenancy.staff', verbose_name='from')),
                ('takers', models.ManyToManyField(related_name='+', to='tenancy.staff', verbose_name='takers')),
            ],
            options={
                'verbose_name': 'handover plan',
                'verbose_name_plural': 'handover plans',
                'indexes': [models.Index(fields=['corp', '-id'], name='handover_plan_by_corp')],
            },
        ),
        migrations.CreateModel(
            name='StageRule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('rule', models.JSONField(verbose_name='rule')),
                ('order', models.PositiveSmallIntegerField(default=0, verbose_name='order')),
                ('is_active', models.BooleanField(default=True, verbose_name='active')),
                ('corp', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.corp')),
                ('stage', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='customers.stage', verbose_name='stage')),
            ],
            options={
                'verbose_name': 'stage rule',
                'verbose_name_plural': 'stage rules',
                'ordering': ['order', 'id'],
            },
        ),
        migrations.CreateModel(
            name='TimelineEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('type', models.CharField(choices=[('follow.added', 'added by a member of staff'), ('follow.ended', 'follow ended'), ('tag.added', 'tag added'), ('tag.removed', 'tag removed'), ('stage.changed', 'stage changed'), ('group.joined', 'joined a group'), ('group.left', 'left a group'), ('note', 'note')], max_length=16, verbose_name='type')),
                ('at', models.DateTimeField(verbose_name='at')),
                ('data', models.JSONField(default=dict, verbose_name='data')),
                ('source', models.CharField(choices=[('event', 'callback'), ('sync', 'reading the platform'), ('person', 'person'), ('api', 'API'), ('rule', 'rule'), ('sop', 'SOP'), ('system', 'system')], max_length=8, verbose_name='source')),
                ('recorded_at', models.DateTimeField(verbose_name='recorded')),
                ('is_fresh', models.BooleanField(default=False)),
                ('corp', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.corp')),
                ('customer', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='timeline', to='customers.customer')),
            ],
            options={
                'verbose_name': 'timeline entry',
                'verbose_name_plural': 'timeline',
                'indexes': [models.Index(fields=['customer', '-at', '-id'], name='timeline_by_customer'), models.Index(condition=models.Q(('is_fresh', True)), fields=['id'], name='timeline_fresh')],
            },
        ),
        migrations.CreateModel(
            name='WaitingCustomer',
            fields=[
            ],
            options={
                'verbose_name': 'waiting customer',
                'verbose_name_plural': 'waiting customers',
                'proxy': True,
                'indexes': [],
                'constraints': [],
            },
            bases=('customers.follow',),
        ),
        migrations.CreateModel(
            name='HandoverItem',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('chat_id', models.CharField(blank=True, max_length=64, verbose_name='chat id')),
                ('kind', models.CharField(choices=[('resigned', 'of a colleague who has left'), ('in_service', 'of a colleague who stays')], max_length=12, verbose_name='kind')),
                ('tried', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), default=list, size=None)),
                ('status', models.CharField(choices=[('planned', 'planned'), ('blocked', 'cannot be handed over'), ('asked', 'being asked'), ('waiting', 'waiting for the platform'), ('succeeded', 'handed over'), ('rejected', 'refused by the customer'), ('over_capacity', 'no taker had room'), ('failed', 'failed'), ('cancelled', 'cancelled')], default='planned', max_length=14, verbose_name='status')),
                ('reason', models.CharField(blank=True, max_length=256, verbose_name='reason')),
                ('errcode', models.IntegerField(null=True, verbose_name='error code')),
                ('asked_at', models.DateTimeField(null=True, verbose_name='asked')),
                ('takeover_at', models.DateTimeField(null=True, verbose_name='taken over')),
                ('settled_at', models.DateTimeField(null=True, verbose_name='settled')),
                ('attempts', models.PositiveSmallIntegerField(default=0, verbose_name='times asked')),
                ('next_attempt_at', models.DateTimeField(null=True, verbose_name='not before')),
                ('corp', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.corp')),
                ('customer', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='customers.customer')),
                ('from_staff', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='tenancy.staff')),
                ('operation', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='channels.operation')),
                ('to_staff', models.ForeignKey(null=True, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='tenancy.staff', verbose_name='taker')),
                ('plan', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='items', to='customers.handoverplan')),
            ],
            options={
                'verbose_name': 'handover item',
                'verbose_name_plural': 'handover items',
                'indexes': [models.Index(fields=['plan', 'status', 'id'], name='handover_item_by_status'), models.Index(condition=models.Q(('chat_id', ''), _negated=True), fields=['corp', 'chat_id', 'status'], name='handover_item_by_chat'), models.Index(condition=models.Q(('customer__isnull', False)), fields=['corp', 'customer', 'status'], name='handover_item_by_customer')],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('chat_id', ''), ('customer__isnull', False)), models.Q(('customer__isnull', True), models.Q(('chat_id', ''), _negated=True)), _connector='OR'), name='handover_item_is_customer_or_chat'), models.UniqueConstraint(condition=models.Q(('customer__isnull', False)), fields=('plan', 'customer'), name='handover_customer_once_per_plan'), models.UniqueConstraint(condition=models.Q(('chat_id', ''), _negated=True), fields=('plan', 'chat_id'), name='handover_chat_once_per_plan'), models.UniqueConstraint(condition=models.Q(('customer__isnull', False), ('status__in', ['asked', 'waiting'])), fields=('corp', 'from_staff', 'customer'), name='handover_customer_once_at_a_time'), models.UniqueConstraint(condition=models.Q(models.Q(('chat_id', ''), _negated=True), ('status__in', ['asked', 'waiting'])), fields=('corp', 'from_staff', 'chat_id'), name='handover_chat_once_at_a_time')],
            },
        ),
        migrations.CreateModel(
            name='HandoverLeg',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('next_poll_at', models.DateTimeField(null=True, verbose_name='next look')),
                ('polls', models.PositiveSmallIntegerField(default=0, verbose_name='looks')),
                ('is_settled', models.BooleanField(default=False, verbose_name='settled')),
                ('problem', models.TextField(blank=True, verbose_name='problem')),
                ('corp', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.corp')),
                ('to_staff', models.ForeignKey(on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='tenancy.staff')),
                ('plan', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='legs', to='customers.handoverplan')),
            ],
            options={
                'verbose_name': 'handover leg',
                'verbose_name_plural': 'handover legs',
                'indexes': [models.Index(condition=models.Q(('is_settled', False), ('next_poll_at__isnull', False)), fields=['next_poll_at'], name='handover_poll_queue')],
                'constraints': [models.UniqueConstraint(fields=('plan', 'to_staff'), name='handover_leg_once_per_taker')],
            },
        ),
        migrations.AddField(
            model_name='customer',
            name='stage_held_until',
            field=models.DateTimeField(blank=True, null=True, verbose_name='stage kept until'),
        ),
        migrations.AddField(
            model_name='customertagset',
            name='changed_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddIndex(
            model_name='customertagset',
            index=models.Index(fields=['corp', 'changed_at'], name='tag_set_by_changed'),
        ),
    ]
