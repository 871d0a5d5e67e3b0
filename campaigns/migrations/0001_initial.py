import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('channels', '0001_initial'),
        ('customers', '0001_initial'),
        ('tenancy', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Campaign',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=128, verbose_name='name')),
                ('kind', models.CharField(choices=[('customers', 'to customers'), ('groups', 'to groups')], default='customers', max_length=12, verbose_name='kind')),
                ('external_userids', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=64), blank=True, null=True, size=None, verbose_name='customer ids')),
                ('content', models.TextField(blank=True, verbose_name='text')),
                ('attachments', models.JSONField(blank=True, default=list, verbose_name='attachments')),
                ('send_at', models.DateTimeField(blank=True, help_text='Empty: as soon as it is submitted.', null=True, verbose_name='send at')),
                ('sender_policy', models.CharField(choices=[('last_chat', 'who last talked with the customer'), ('owner', "the customer's owner"), ('named', 'only the staff named here')], default='last_chat', max_length=12, verbose_name='sender')),
                ('status', models.CharField(choices=[('draft', 'draft'), ('pending_approval', 'waiting for approval'), ('scheduled', 'scheduled'), ('planning', 'being planned'), ('asked', 'staff asked'), ('partly_confirmed', 'partly confirmed'), ('done', 'done'), ('cancelled', 'cancelled'), ('failed', 'failed')], default='draft', max_length=20, verbose_name='status')),
                ('rule', models.JSONField(null=True)),
                ('planned_up_to', models.BigIntegerField(default=0)),
                ('lease_until', models.DateTimeField(null=True)),
                ('problem', models.TextField(blank=True, verbose_name='problem')),
                ('created_by', models.CharField(blank=True, max_length=80)),
                ('submitted_by', models.CharField(blank=True, max_length=80)),
                ('created_at', models.DateTimeField(verbose_name='created')),
                ('submitted_at', models.DateTimeField(null=True, verbose_name='submitted')),
                ('planned_at', models.DateTimeField(null=True, verbose_name='planned')),
                ('asked_at', models.DateTimeField(null=True, verbose_name='asked')),
                ('cancelled_at', models.DateTimeField(null=True, verbose_name='cancelled at')),
                ('finished_at', models.DateTimeField(null=True, verbose_name='finished')),
                ('corp', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.corp')),
                ('segment', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.RESTRICT, to='customers.segment', verbose_name='segment')),
                ('senders', models.ManyToManyField(blank=True, to='tenancy.staff', verbose_name='named staff')),
            ],
            options={
                'verbose_name': 'campaign',
                'verbose_name_plural': 'campaigns',
                'indexes': [models.Index(condition=models.Q(('status__in', ['scheduled', 'planning'])), fields=['send_at'], name='campaign_queue'), models.Index(fields=['corp', '-id'], name='campaign_by_corp')],
            },
        ),
        migrations.CreateModel(
            name='Reminder',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(verbose_name='at')),
                ('tasks', models.PositiveIntegerField(verbose_name='members reminded')),
                ('campaign', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='reminders', to='campaigns.campaign')),
                ('corp', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.corp')),
            ],
            options={
                'verbose_name': 'reminder',
                'verbose_name_plural': 'reminders',
                'indexes': [models.Index(fields=['campaign', 'at'], name='reminder_by_campaign')],
            },
        ),
        migrations.CreateModel(
            name='Task',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('part', models.PositiveIntegerField(default=0, verbose_name='part')),
                ('size', models.PositiveIntegerField(default=0, verbose_name='customers')),
                ('msgid', models.CharField(blank=True, max_length=64, verbose_name='platform id')),
                ('status', models.CharField(choices=[('planned', 'planned'), ('asked', 'asked'), ('confirmed', 'confirmed'), ('cancelled', 'cancelled'), ('failed', 'refused')], default='planned', max_length=12, verbose_name='status')),
                ('asked_at', models.DateTimeField(null=True, verbose_name='asked')),
                ('confirmed_at', models.DateTimeField(null=True, verbose_name='confirmed')),
                ('cancelled_at', models.DateTimeField(null=True, verbose_name='called back')),
                ('next_poll_at', models.DateTimeField(null=True, verbose_name='next look')),
                ('polls', models.PositiveSmallIntegerField(default=0, verbose_name='looks')),
                ('is_settled', models.BooleanField(default=False, verbose_name='settled')),
                ('problem', models.TextField(blank=True, verbose_name='problem')),
                ('campaign', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='tasks', to='campaigns.campaign')),
                ('corp', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.corp')),
                ('operation', models.OneToOneField(null=True, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='channels.operation')),
                ('staff', models.ForeignKey(on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='tenancy.staff', verbose_name='staff member')),
            ],
            options={
                'verbose_name': 'task',
                'verbose_name_plural': 'tasks',
                'indexes': [models.Index(condition=models.Q(('is_settled', False), ('next_poll_at__isnull', False)), fields=['next_poll_at'], name='task_poll_queue')],
                'constraints': [models.UniqueConstraint(fields=('campaign', 'staff', 'part'), name='task_once_per_sender_and_part')],
            },
        ),
        migrations.CreateModel(
            name='Recipient',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('status', models.CharField(choices=[('excluded', 'excluded'), ('planned', 'planned'), ('failed', 'refused when asked'), ('asked', 'asked, not confirmed'), ('confirmed', 'confirmed, result not known yet'), ('delivered', 'delivered'), ('not_friend', 'no longer a friend'), ('quota', "customer's quota used up"), ('cancelled', 'cancelled before it was asked')], max_length=12, verbose_name='status')),
                ('reason', models.CharField(blank=True, max_length=32, verbose_name='reason')),
                ('settled_at', models.DateTimeField(null=True, verbose_name='settled')),
                ('campaign', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='recipients', to='campaigns.campaign')),
                ('corp', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.corp')),
                ('customer', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='customers.customer')),
                ('staff', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='tenancy.staff')),
                ('task', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='recipients', to='campaigns.task')),
            ],
            options={
                'verbose_name': 'recipient',
                'verbose_name_plural': 'recipients',
                'indexes': [models.Index(fields=['campaign', 'status', 'id'], name='recipient_by_status'), models.Index(fields=['task', 'customer'], name='recipient_by_task')],
                'constraints': [models.UniqueConstraint(fields=('campaign', 'customer'), name='recipient_once_per_campaign')],
            },
        ),
    ]
