import django.contrib.postgres.fields
import django.db.models.deletion
import scrm.common.encryption
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('tenancy', '0002_staff_leaving'),
    ]

    operations = [
        migrations.CreateModel(
            name='ArchivedMessage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('seq', models.BigIntegerField(verbose_name='number')),
                ('msgid', models.CharField(max_length=128, verbose_name='platform id')),
                ('key_version', models.PositiveIntegerField(default=0, verbose_name='key version')),
                ('action', models.CharField(default='send', max_length=8, verbose_name='action')),
                ('kind', models.CharField(blank=True, max_length=32, verbose_name='kind')),
                ('sender', models.CharField(blank=True, max_length=64, verbose_name='from')),
                ('is_from_staff', models.BooleanField(default=False, verbose_name='from staff')),
                ('receivers', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=64), default=list, size=None)),
                ('room_id', models.CharField(blank=True, max_length=64, verbose_name='group')),
                ('conversation', models.CharField(blank=True, max_length=140)),
                ('sent_at', models.DateTimeField(null=True, verbose_name='sent')),
                ('text', scrm.common.encryption.EncryptedTextField(blank=True, verbose_name='text')),
                ('text_state', models.CharField(choices=[('kept', 'kept'), ('no_consent', 'no consent: not kept'), ('internal', 'among colleagues: not kept'), ('no_text', 'not text: not checked'), ('unreadable', 'could not be opened')], default='no_text', max_length=10, verbose_name='text')),
                ('text_length', models.PositiveIntegerField(default=0, verbose_name='characters')),
                ('recalled_at', models.DateTimeField(null=True, verbose_name='taken back')),
                ('problem', models.TextField(blank=True, verbose_name='problem')),
                ('pulled_at', models.DateTimeField(verbose_name='taken in')),
                ('screened_version', models.PositiveIntegerField(null=True)),
                ('corp', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.corp')),
            ],
            options={
                'verbose_name': 'archived message',
                'verbose_name_plural': 'archived messages',
                'indexes': [models.Index(fields=['corp', 'conversation', 'sent_at', 'id'], name='archived_conversation'), models.Index(fields=['corp', '-seq'], name='archived_by_corp'), models.Index(condition=models.Q(('screened_version__isnull', True), ('text_state', 'kept')), fields=['id'], name='archived_to_screen'), models.Index(condition=models.Q(('text_state', 'unreadable')), fields=['corp', 'seq'], name='archived_unreadable')],
                'constraints': [models.UniqueConstraint(fields=('corp', 'msgid'), name='archived_message_once')],
            },
        ),
        migrations.CreateModel(
            name='Lexicon',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=64, verbose_name='name')),
                ('category', models.CharField(max_length=64, verbose_name='category')),
                ('severity', models.CharField(choices=[('low', 'low: passes and is recorded'), ('medium', 'medium: warns'), ('high', 'high: blocks')], max_length=6, verbose_name='severity')),
                ('directions', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=8), blank=True, default=list, size=None, verbose_name='who says it')),
                ('allow', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=64), blank=True, default=list, size=None, verbose_name='allowed phrases')),
                ('is_draft', models.BooleanField(default=False, verbose_name='draft')),
                ('version', models.PositiveIntegerField(default=1, verbose_name='version')),
                ('created_at', models.DateTimeField(verbose_name='created')),
                ('updated_at', models.DateTimeField(verbose_name='updated')),
                ('words', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=64), default=list, size=None, verbose_name='words')),
                ('sees_repeats', models.BooleanField(default=False, verbose_name='repeated characters')),
                ('sees_lookalikes', models.BooleanField(default=False, verbose_name='look-alike characters')),
                ('sees_split', models.BooleanField(default=False, verbose_name='split characters')),
                ('sees_pinyin', models.BooleanField(default=False, verbose_name='pinyin')),
                ('corp', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.corp')),
                ('departments', models.ManyToManyField(blank=True, help_text='With everything below them. Empty: the whole corp.', to='tenancy.department', verbose_name='departments')),
            ],
            options={
                'verbose_name': 'lexicon',
                'verbose_name_plural': 'lexicons',
                'constraints': [models.UniqueConstraint(fields=('corp', 'name'), name='lexicon_once')],
            },
        ),
        migrations.CreateModel(
            name='Publication',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('version', models.PositiveIntegerField(default=0)),
                ('published_at', models.DateTimeField()),
                ('corp', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.corp')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('corp',), name='publication_once_per_corp')],
            },
        ),
        migrations.CreateModel(
            name='RiskRule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=64, verbose_name='name')),
                ('category', models.CharField(max_length=64, verbose_name='category')),
                ('severity', models.CharField(choices=[('low', 'low: passes and is recorded'), ('medium', 'medium: warns'), ('high', 'high: blocks')], max_length=6, verbose_name='severity')),
                ('directions', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=8), blank=True, default=list, size=None, verbose_name='who says it')),
                ('allow', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=64), blank=True, default=list, size=None, verbose_name='allowed phrases')),
                ('is_draft', models.BooleanField(default=False, verbose_name='draft')),
                ('version', models.PositiveIntegerField(default=1, verbose_name='version')),
                ('created_at', models.DateTimeField(verbose_name='created')),
                ('updated_at', models.DateTimeField(verbose_name='updated')),
                ('kind', models.CharField(choices=[('phone', 'phone number'), ('email', 'e-mail address'), ('bank_card', 'bank card number'), ('link', 'link'), ('words_together', 'words near each other')], max_length=16, verbose_name='kind')),
                ('settings', models.JSONField(blank=True, default=dict, verbose_name='settings')),
                ('corp', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.corp')),
                ('departments', models.ManyToManyField(blank=True, help_text='With everything below them. Empty: the whole corp.', to='tenancy.department', verbose_name='departments')),
            ],
            options={
                'verbose_name': 'risk rule',
                'verbose_name_plural': 'risk rules',
                'constraints': [models.UniqueConstraint(fields=('corp', 'name'), name='risk_rule_once')],
            },
        ),
        migrations.CreateModel(
            name='Agreement',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('userid', models.CharField(blank=True, max_length=64, verbose_name='userid')),
                ('external_userid', models.CharField(max_length=64, verbose_name='external id')),
                ('room_id', models.CharField(blank=True, max_length=64, verbose_name='group')),
                ('is_agreed', models.BooleanField(default=False, verbose_name='agreed')),
                ('changed_at', models.DateTimeField(null=True, verbose_name='since')),
                ('checked_at', models.DateTimeField(verbose_name='asked')),
                ('corp', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.corp')),
            ],
            options={
                'verbose_name': 'agreement to archiving',
                'verbose_name_plural': 'agreements to archiving',
                'indexes': [models.Index(condition=models.Q(('room_id', ''), _negated=True), fields=['corp', 'room_id'], name='agreement_by_room')],
                'constraints': [models.UniqueConstraint(fields=('corp', 'external_userid', 'userid', 'room_id'), name='agreement_once')],
            },
        ),
        migrations.CreateModel(
            name='ArchiveCursor',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('seq', models.BigIntegerField(default=0)),
                ('lease_until', models.DateTimeField(null=True)),
                ('next_pull_at', models.DateTimeField(null=True, verbose_name='next pull')),
                ('caught_up_at', models.DateTimeField(null=True, verbose_name='caught up')),
                ('problem', models.TextField(blank=True, verbose_name='problem')),
                ('corp', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.corp')),
            ],
            options={
                'verbose_name': 'archive',
                'verbose_name_plural': 'archives',
                'constraints': [models.UniqueConstraint(fields=('corp',), name='archive_cursor_once')],
            },
        ),
        migrations.CreateModel(
            name='Incident',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('message', 'message'), ('deletion', 'a member of staff deleted a customer'), ('stopped_send', 'something was stopped before it was sent')], max_length=12, verbose_name='kind')),
                ('key', models.CharField(max_length=160)),
                ('category', models.CharField(blank=True, max_length=64, verbose_name='category')),
                ('severity', models.CharField(choices=[('low', 'low: passes and is recorded'), ('medium', 'medium: warns'), ('high', 'high: blocks')], max_length=6, verbose_name='severity')),
                ('external_userid', models.CharField(blank=True, max_length=64, verbose_name='external id')),
                ('chat_id', models.CharField(blank=True, max_length=64, verbose_name='chat id')),
                ('hits', models.JSONField(default=list, verbose_name='found')),
                ('data', models.JSONField(default=dict)),
                ('happened_at', models.DateTimeField(verbose_name='happened')),
                ('opened_at', models.DateTimeField(verbose_name='opened')),
                ('status', models.CharField(choices=[('open', 'to be looked at'), ('decided', 'decided'), ('recorded', 'recorded only')], default='open', max_length=8, verbose_name='status')),
                ('decision', models.CharField(blank=True, choices=[('false_alarm', 'false alarm'), ('reminded', 'reminded'), ('minor', 'minor violation'), ('serious', 'serious violation'), ('escalated', 'escalated'), ('care', 'the customer needs help')], max_length=12, verbose_name='decision')),
                ('note', models.TextField(blank=True, verbose_name='reason')),
                ('decided_by', models.CharField(blank=True, max_length=80, verbose_name='decided by')),
                ('decided_at', models.DateTimeField(null=True, verbose_name='decided')),
                ('corp', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.corp')),
                ('message', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='incidents', to='risk.archivedmessage')),
                ('staff', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='tenancy.staff', verbose_name='staff member')),
            ],
            options={
                'verbose_name': 'incident',
                'verbose_name_plural': 'incidents',
                'indexes': [models.Index(condition=models.Q(('status', 'open')), fields=['corp', 'severity', 'opened_at'], name='incident_queue'), models.Index(fields=['corp', '-id'], name='incident_by_corp'), models.Index(condition=models.Q(('external_userid', ''), _negated=True), fields=['corp', 'external_userid', '-id'], name='incident_by_customer'), models.Index(condition=models.Q(('staff__isnull', False)), fields=['staff', '-id'], name='incident_by_staff')],
                'constraints': [models.UniqueConstraint(fields=('corp', 'key'), name='incident_once_per_occasion')],
            },
        ),
    ]
