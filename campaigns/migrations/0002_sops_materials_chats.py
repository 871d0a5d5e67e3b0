import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('campaigns', '0001_initial'),
        ('channels', '0002_archive_keys'),
        ('customers', '0002_timeline_rules_handover'),
        ('groups', '0002_moves_tags_join_codes'),
        ('tenancy', '0002_staff_leaving'),
    ]

    operations = [
        migrations.CreateModel(
            name='Material',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('text', 'text'), ('image', 'picture'), ('link', 'link'), ('miniprogram', 'mini program'), ('video', 'video'), ('file', 'file')], max_length=12, verbose_name='kind')),
                ('title', models.CharField(max_length=128, verbose_name='title')),
                ('content', models.JSONField(default=dict, verbose_name='content')),
                ('status', models.CharField(choices=[('ready', 'ready'), ('blocked', 'must not be sent'), ('archived', 'archived')], default='ready', max_length=8, verbose_name='status')),
                ('hits', models.JSONField(default=list, verbose_name='found by screening')),
                ('created_by', models.CharField(blank=True, max_length=80)),
                ('created_at', models.DateTimeField(verbose_name='created')),
                ('updated_at', models.DateTimeField(verbose_name='updated')),
                ('corp', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.corp')),
            ],
            options={
                'verbose_name': 'material',
                'verbose_name_plural': 'materials',
                'indexes': [models.Index(fields=['corp', '-id'], name='material_by_corp')],
            },
        ),
        migrations.CreateModel(
            name='Sop',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=128, verbose_name='name')),
                ('trigger', models.JSONField(verbose_name='trigger')),
                ('exit', models.JSONField(blank=True, null=True, verbose_name='exit')),
                ('quiet_hours', models.JSONField(blank=True, null=True, verbose_name='quiet hours')),
                ('late_policy', models.CharField(choices=[('skip', 'leave out what is too late'), ('catch_up', 'do it all the same')], default='skip', max_length=8, verbose_name='after a delay')),
                ('grace_minutes', models.PositiveIntegerField(default=60, verbose_name='minutes of grace')),
                ('status', models.CharField(choices=[('draft', 'draft'), ('active', 'running'), ('paused', 'paused')], default='draft', max_length=8, verbose_name='status')),
                ('version', models.PositiveIntegerField(default=1, verbose_name='version')),
                ('activated_at', models.DateTimeField(null=True, verbose_name='started')),
                ('created_by', models.CharField(blank=True, max_length=80)),
                ('created_at', models.DateTimeField(verbose_name='created')),
                ('updated_at', models.DateTimeField(verbose_name='updated')),
                ('corp', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.corp')),
            ],
            options={
                'verbose_name': 'SOP',
                'verbose_name_plural': 'SOPs',
                'constraints': [models.UniqueConstraint(fields=('corp', 'name'), name='sop_once_per_name')],
            },
        ),
        migrations.CreateModel(
            name='Enrolment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('anchor', models.DateTimeField(verbose_name='counted from')),
                ('trigger', models.CharField(choices=[('manual', 'by hand'), ('customer_added', 'a customer was added'), ('tag_added', 'a tag was given'), ('attribute_date', 'a date among the attributes'), ('group_joined', 'a group was joined'), ('api', 'through the API')], max_length=16, verbose_name='entered by')),
                ('status', models.CharField(choices=[('active', 'under way'), ('finished', 'went to the end'), ('exited', 'left early'), ('cancelled', 'taken out')], default='active', max_length=9, verbose_name='status')),
                ('reason', models.CharField(blank=True, max_length=64, verbose_name='reason')),
                ('created_by', models.CharField(blank=True, max_length=80)),
                ('created_at', models.DateTimeField(verbose_name='entered')),
                ('ended_at', models.DateTimeField(null=True, verbose_name='ended')),
                ('corp', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.corp')),
                ('customer', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='enrolments', to='customers.customer')),
                ('entry', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='customers.timelineentry')),
                ('staff', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='tenancy.staff')),
                ('sop', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='enrolments', to='campaigns.sop')),
            ],
            options={
                'verbose_name': 'enrolment',
                'verbose_name_plural': 'enrolments',
                'indexes': [models.Index(fields=['sop', 'customer'], name='enrolment_by_sop'), models.Index(fields=['sop', '-id'], name='enrolment_list'), models.Index(fields=['customer'], name='enrolment_by_customer')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('status', 'active')), fields=('sop', 'customer'), name='enrolment_once_at_a_time')],
            },
        ),
        migrations.CreateModel(
            name='Step',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.PositiveSmallIntegerField(verbose_name='position')),
                ('offset_days', models.IntegerField(default=0, verbose_name='days')),
                ('offset_minutes', models.IntegerField(default=0, verbose_name='minutes')),
                ('at', models.TimeField(blank=True, null=True, verbose_name='at')),
                ('action', models.JSONField(verbose_name='action')),
                ('condition', models.JSONField(blank=True, null=True, verbose_name='condition')),
                ('removed_at', models.DateTimeField(blank=True, null=True)),
                ('sop', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='steps', to='campaigns.sop')),
            ],
            options={
                'verbose_name': 'step',
                'verbose_name_plural': 'steps',
                'ordering': ['position', 'id'],
            },
        ),
        migrations.CreateModel(
            name='StepRun',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('due_at', models.DateTimeField(verbose_name='due')),
                ('look_at', models.DateTimeField(null=True)),
                ('status', models.CharField(choices=[('pending', 'pending'), ('done', 'done'), ('skipped', 'skipped'), ('missed', 'missed'), ('failed', 'failed')], default='pending', max_length=8, verbose_name='status')),
                ('reason', models.CharField(blank=True, max_length=32, verbose_name='reason')),
                ('detail', models.TextField(blank=True, verbose_name='detail')),
                ('taken_at', models.DateTimeField(null=True)),
                ('settled_at', models.DateTimeField(null=True, verbose_name='settled')),
                ('campaign', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='step_runs', to='campaigns.campaign')),
                ('corp', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.corp')),
                ('enrolment', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='runs', to='campaigns.enrolment')),
                ('operation', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='channels.operation')),
                ('staff', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='tenancy.staff')),
                ('step', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='runs', to='campaigns.step')),
            ],
            options={
                'verbose_name': 'step run',
                'verbose_name_plural': 'step runs',
                'indexes': [models.Index(condition=models.Q(('status', 'pending'), ('taken_at__isnull', True)), fields=['look_at', 'id'], name='step_run_look_queue'), models.Index(fields=['step', 'status', 'id'], name='step_run_by_step')],
                'constraints': [models.UniqueConstraint(fields=('enrolment', 'step'), name='step_run_once')],
            },
        ),
        migrations.AddField(
            model_name='campaign',
            name='chat_ids',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=64), blank=True, null=True, size=None, verbose_name='chat ids'),
        ),
        migrations.AddField(
            model_name='recipient',
            name='chat',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='groups.groupchat'),
        ),
        migrations.AlterField(
            model_name='recipient',
            name='customer',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='customers.customer'),
        ),
        migrations.AddIndex(
            model_name='recipient',
            index=models.Index(condition=models.Q(('chat__isnull', False)), fields=['chat', '-id'], name='recipient_by_chat'),
        ),
        migrations.AddConstraint(
            model_name='recipient',
            constraint=models.UniqueConstraint(condition=models.Q(('chat__isnull', False)), fields=('campaign', 'chat'), name='recipient_chat_once_per_campaign'),
        ),
        migrations.AddConstraint(
            model_name='recipient',
            constraint=models.CheckConstraint(condition=models.Q(('customer__isnull', False), ('chat__isnull', False), _connector='XOR'), name='recipient_is_customer_or_chat'),
        ),
        migrations.AddField(
            model_name='campaign',
            name='sop_step',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='campaigns', to='campaigns.step'),
        ),
    ]
