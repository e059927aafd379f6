"""Submissions, deliveries, attempts, and how the providers of each container are."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "spool_submissions",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("sender", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("policy", sa.Text, nullable=False),
        sa.Column("needs_envelope", sa.Boolean, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("raw", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("owner", "key", name="spool_submissions_key"),
    )
    op.create_table(
        "spool_deliveries",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column(
            "submission_id",
            sa.Text,
            sa.ForeignKey("spool_submissions.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("recipient", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("updated", sa.Double, nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("due", sa.Double),
        sa.Column("expires", sa.Double, nullable=False),
        sa.Column("lease", sa.Text, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("rounds", sa.Integer, nullable=False),
        sa.Column("pinned", sa.Text, nullable=False),
        sa.Column("refused_by", sa.Text, nullable=False),
        sa.Column("doubtful", sa.Boolean, nullable=False),
        sa.CheckConstraint(
            "(status IN ('queued', 'sending', 'deferred') AND due IS NOT NULL) OR status = 'uncertain' OR "
            "(status IN ('sent', 'delivered', 'bounced', 'complained', 'failed', 'cancelled') "
            "AND due IS NULL)",
            name="spool_deliveries_due",
        ),
        sa.CheckConstraint("due IS NOT NULL OR lease = ''", name="spool_deliveries_lease"),
        sqlite_with_rowid=False,
    )
    op.create_index("spool_deliveries_submission", "spool_deliveries", ["submission_id"])
    waiting = sa.text("due IS NOT NULL")
    op.create_index(
        "spool_deliveries_due",
        "spool_deliveries",
        ["priority", "due"],
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
    held = sa.text("lease <> ''")
    op.create_index(
        "spool_deliveries_lease", "spool_deliveries", ["lease"], sqlite_where=held, postgresql_where=held
    )
    op.create_table(
        "spool_attempts",
        sa.Column(
            "delivery_id",
            sa.Text,
            sa.ForeignKey("spool_deliveries.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("ms", sa.Integer, nullable=False),
        sa.Column("outcome", sa.Text),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("provider_id", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "spool_health",
        sa.Column("container", sa.Text, primary_key=True),
        sa.Column("provider", sa.Text, primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("until", sa.Double),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("counts", sa.Text, nullable=False),
        sa.Column("updated", sa.Double, nullable=False),
        sqlite_with_rowid=False,
    )
