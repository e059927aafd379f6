"""The spool's tables."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
    func,
    text,
)

MTA_MIGRATIONS = Path(__file__).parent / "migrations" / "versions"
"""Where the migrations of these tables are, for `store.migrate`."""
MTA_VERSION_TABLE = "mta_version"
SUBJECT_CHARACTERS = 80
"""Characters of a subject that it can be found by."""

metadata = MetaData()

submissions = Table(
    "spool_submissions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("created", Double, nullable=False),
    Column("policy", Text, nullable=False),
    Column("needs_envelope", Boolean, nullable=False),
    Column("size", Integer, nullable=False),
    # Last, so that SQLite need not read it to find the others.
    Column("raw", LargeBinary, nullable=False),
    # What stays of the deliveries of an old one that is finished, in place of them and of the mail.
    Column("summary", LargeBinary),
    Column("message_id", Text, nullable=False, server_default=""),
    UniqueConstraint("owner", "key", name="spool_submissions_key"),
)
Index("spool_submissions_sender", submissions.c.sender, submissions.c.id)
Index(
    "spool_submissions_subject",
    func.lower(func.substr(submissions.c.subject, text("1"), text(str(SUBJECT_CHARACTERS)))).label("start"),
    postgresql_ops={"start": "text_pattern_ops"},
)
Index(
    "spool_submissions_message_id",
    submissions.c.message_id,
    sqlite_where=text("message_id <> ''"),
    postgresql_where=text("message_id <> ''"),
)

# `due` is the one column that decides whether somebody has to act on a delivery, and when. It is null in a
# final state and never otherwise: a waiting delivery is due when its wait is over, a claimed one when its
# lease ends. So one query finds what is to be sent, what waited long enough, and what a dead container held.
deliveries = Table(
    "spool_deliveries",
    metadata,
    Column("id", Text, primary_key=True),
    Column("submission_id", Text, ForeignKey(submissions.c.id, ondelete="CASCADE"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("updated", Double, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("due", Double),
    Column("expires", Double, nullable=False),
    Column("lease", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("rounds", Integer, nullable=False),
    Column("pinned", Text, nullable=False),
    Column("refused_by", Text, nullable=False),
    Column("doubtful", Boolean, nullable=False),
    # About the mail, but there it would stand behind `raw` where it was added later.
    Column("needs_mime", Boolean, nullable=False, server_default=false()),
    # Why the provider that has it says that it still waits. Nobody has to act on that, so the status is `sent`.
    Column("deferral", Text, nullable=False, server_default=""),
    CheckConstraint(
        "(status IN ('queued', 'sending', 'deferred') AND due IS NOT NULL) OR status = 'uncertain' OR "
        "(status IN ('sent', 'delivered', 'bounced', 'complained', 'failed', 'cancelled') AND due IS NULL)",
        name="spool_deliveries_due",
    ),
    CheckConstraint("due IS NOT NULL OR lease = ''", name="spool_deliveries_lease"),
    sqlite_with_rowid=False,
)
Index("spool_deliveries_recipient", deliveries.c.recipient, deliveries.c.submission_id)
Index("spool_deliveries_submission", deliveries.c.submission_id)
Index(
    "spool_deliveries_due",
    deliveries.c.priority,
    deliveries.c.due,
    sqlite_where=text("due IS NOT NULL"),
    postgresql_where=text("due IS NOT NULL"),
)
Index(
    "spool_deliveries_lease",
    deliveries.c.lease,
    sqlite_where=text("lease <> ''"),
    postgresql_where=text("lease <> ''"),
)

attempts = Table(
    "spool_attempts",
    metadata,
    Column("delivery_id", Text, ForeignKey(deliveries.c.id, ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("provider", Text, nullable=False),
    Column("at", Double, nullable=False),
    Column("ms", Integer, nullable=False),
    Column("outcome", Text),
    Column("detail", Text, nullable=False),
    Column("provider_id", Text, nullable=False),
    # As it came, for whoever asks; `detail` is what is said of it.
    Column("answer", Text, nullable=False, server_default=""),
    sqlite_with_rowid=False,
)

Index(
    "spool_attempts_provider_id",
    attempts.c.provider_id,
    sqlite_where=text("provider_id <> ''"),
    postgresql_where=text("provider_id <> ''"),
)

# Which trace a mail is part of; written only where something is traced.
traces = Table(
    "spool_traces",
    metadata,
    Column("submission_id", Text, ForeignKey(submissions.c.id, ondelete="CASCADE"), primary_key=True),
    Column("context", Text, nullable=False),
    sqlite_with_rowid=False,
)

# What became of deliveries, by the minute since the epoch and by who wrote it down, so that nobody waits for a row.
tallies = Table(
    "spool_tallies",
    metadata,
    Column("minute", Integer, primary_key=True, autoincrement=False),
    Column("holder", Text, primary_key=True),
    Column("sent", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("held", Integer, nullable=False),
    sqlite_with_rowid=False,
)

# What one container does for all of them, and when it is due again.
chores = Table(
    "spool_chores",
    metadata,
    Column("name", Text, primary_key=True),
    Column("due", Double, nullable=False),
    sqlite_with_rowid=False,
)

health = Table(
    "spool_health",
    metadata,
    Column("container", Text, primary_key=True),
    Column("provider", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("until", Double),
    Column("error", Text, nullable=False),
    Column("counts", Text, nullable=False),
    Column("figures", Text, nullable=False, server_default="{}"),
    Column("updated", Double, nullable=False),
    sqlite_with_rowid=False,
)

# What operators set of the schedule while it runs: the scheduler, and weights of providers.
steering = Table(
    "spool_steering",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("at", Double, nullable=False),
    sqlite_with_rowid=False,
)

# What providers report, kept for a while after it is settled, so that a repetition counts once. `waiting` is
# null once a report is settled, and else the time it came.
reports = Table(
    "spool_reports",
    metadata,
    Column("id", Text, primary_key=True),
    Column("provider", Text, nullable=False),
    Column("delivery_id", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("permanent", Boolean, nullable=False),
    Column("at", Double, nullable=False),
    Column("received", Double, nullable=False),
    Column("waiting", Double),
    sqlite_with_rowid=False,
)
Index(
    "spool_reports_waiting",
    reports.c.waiting,
    sqlite_where=text("waiting IS NOT NULL"),
    postgresql_where=text("waiting IS NOT NULL"),
)
Index("spool_reports_received", reports.c.received)

tokens = Table(
    "spool_tokens",
    metadata,
    Column("token", Text, primary_key=True),
    Column("used_for", Text, nullable=False),
    Column("received", Double, nullable=False),
    sqlite_with_rowid=False,
)
Index("spool_tokens_received", tokens.c.received)

# Deliveries that came to nothing, or to a complaint, until their author has been told. A row is written in the
# transaction that decides it; its batch is named before the message to the author is filed, and under that
# name, so that neither a crash nor two processes lose a message or double it.
returns = Table(
    "spool_returns",
    metadata,
    Column("delivery_id", Text, ForeignKey(deliveries.c.id, ondelete="CASCADE"), primary_key=True),
    Column("status", Text, primary_key=True),
    Column("submission_id", Text, nullable=False),
    Column("permanent", Boolean, nullable=False),
    Column("at", Double, nullable=False),
    Column("batch", Text, nullable=False),
    sqlite_with_rowid=False,
)
Index("spool_returns_batch", returns.c.batch, returns.c.submission_id)

# Numbers are never given twice, so that whoever read up to one has read all up to it.
news = Table(
    "spool_news",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at", Double, nullable=False),
    Column("holder", Text, nullable=False),
    Column("body", Text, nullable=False),
    sqlite_autoincrement=True,
)

# Which webhooks are told of whose deliveries. `due` is null when a webhook has nothing to be told, and else says
# when somebody has to act on it: when its next call is due, or, while a process holds its lease, when that ends.
subscribers = Table(
    "spool_subscribers",
    metadata,
    Column("webhook", BigInteger, primary_key=True, autoincrement=False),
    Column("owner", Text, nullable=False),
    Column("statuses", Text, nullable=False),
    Column("due", Double),
    Column("lease", Text, nullable=False),
    Column("failures", Integer, nullable=False),
)
Index("spool_subscribers_owner", subscribers.c.owner)
Index(
    "spool_subscribers_due",
    subscribers.c.due,
    sqlite_where=text("due IS NOT NULL"),
    postgresql_where=text("due IS NOT NULL"),
)

calls = Table(
    "spool_calls",
    metadata,
    Column("webhook", BigInteger, ForeignKey(subscribers.c.webhook, ondelete="CASCADE"), primary_key=True),
    Column("id", Text, primary_key=True),
    Column("due", Double, nullable=False),
    Column("expires", Double, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("body", Text, nullable=False),
    sqlite_with_rowid=False,
)
Index("spool_calls_due", calls.c.webhook, calls.c.due)
Index("spool_calls_expires", calls.c.webhook, calls.c.expires)

incoming = Table(
    "spool_incoming",
    metadata,
    Column("id", Text, primary_key=True),
    Column("sender", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("received_at", Double, nullable=False),
    Column("raw", LargeBinary, nullable=False),
)
