import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('customers', '0001_initial'),
        ('jobs', '0001_initial'),
        ('tenancy', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='GroupChat',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('chat_id', models.CharField(max_length=64, verbose_name='chat id')),
                ('name', models.CharField(blank=True, max_length=256, verbose_name='name')),
                ('notice', models.TextField(blank=True, verbose_name='notice')),
                ('status', models.CharField(choices=[('normal', 'normal'), ('owner_left', 'owner has left'), ('inheriting', 'being handed over'), ('inherited', 'handed over'), ('dismissed', 'dismissed')], default='normal', max_length=12, verbose_name='status')),
                ('member_version', models.CharField(blank=True, max_length=64)),
                ('member_count', models.PositiveIntegerField(default=0, verbose_name='members')),
                ('opened_at', models.DateTimeField(null=True, verbose_name='opened')),
                ('dismissed_at', models.DateTimeField(blank=True, null=True, verbose_name='dismissed at')),
                ('updated_at', models.DateTimeField(verbose_name='updated')),
                ('corp', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.corp')),
                ('owner', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='tenancy.staff', verbose_name='owner')),
            ],
            options={
                'verbose_name': 'group chat',
                'verbose_name_plural': 'group chats',
                'constraints': [models.UniqueConstraint(fields=('corp', 'chat_id'), name='group_chat_once_per_corp')],
            },
        ),
        migrations.CreateModel(
            name='ChatSighting',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('job', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='jobs.job')),
                ('chat', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='groups.groupchat')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('job', 'chat'), name='chat_sighting_once_per_job')],
            },
        ),
        migrations.CreateModel(
            name='Membership',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('type', models.CharField(choices=[('staff', 'staff'), ('customer', 'customer')], max_length=8, verbose_name='type')),
                ('member_id', models.CharField(max_length=64, verbose_name='platform id')),
                ('name', models.CharField(blank=True, max_length=128, verbose_name='name')),
                ('joined_at', models.DateTimeField(verbose_name='joined')),
                ('join_scene', models.PositiveSmallIntegerField(default=0, verbose_name='how joined')),
                ('inviter', models.CharField(blank=True, max_length=64, verbose_name='invited by')),
                ('state', models.CharField(blank=True, max_length=64, verbose_name='channel')),
                ('left_at', models.DateTimeField(null=True, verbose_name='left')),
                ('chat', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='memberships', to='groups.groupchat')),
                ('corp', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.corp')),
                ('customer', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='memberships', to='customers.customer')),
            ],
            options={
                'verbose_name': 'group member',
                'verbose_name_plural': 'group members',
                'indexes': [models.Index(condition=models.Q(('left_at__isnull', True)), fields=['corp', 'customer'], name='membership_by_customer'), models.Index(fields=['corp', 'member_id'], name='membership_by_member')],
                'constraints': [models.UniqueConstraint(fields=('chat', 'member_id'), name='member_once_per_chat')],
            },
        ),
    ]
