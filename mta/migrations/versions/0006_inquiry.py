"""What an operator finds a mail by, and more of how providers are."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("spool_submissions", sa.Column("message_id", sa.Text, nullable=False, server_default=""))
    op.add_column("spool_health", sa.Column("figures", sa.Text, nullable=False, server_default="{}"))
    op.create_index("spool_deliveries_recipient", "spool_deliveries", ["recipient", "submission_id"])
    op.create_index("spool_submissions_sender", "spool_submissions", ["sender", "id"])
    op.create_index(
        "spool_submissions_subject",
        "spool_submissions",
        [
            sa.text(
                "lower(substr(subject, 1, 80))"
                + " text_pattern_ops" * (op.get_bind().dialect.name != "sqlite")
            )
        ],
    )
    for table, column in (("submissions", "message_id"), ("attempts", "provider_id")):
        given = sa.text(f"{column} <> ''")
        op.create_index(
            f"spool_{table}_{column}", f"spool_{table}", [column], sqlite_where=given, postgresql_where=given
        )
