"""What the door answered, and the sources that are older than the rule that each has a realm of its own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# A signal's JSON leaves an empty realm out, and quotes inside of a text are escaped. Of files of `http` a source that is
# listed keeps one name space for authors and posts, whatever realm they name.
OLD_SOURCES = """
    INSERT INTO realms (source, realm)
    SELECT connection, '' FROM inbox WHERE realm = '' OR plugin = 'http'
    UNION
    SELECT source, '' FROM signals WHERE source <> '' AND (body NOT LIKE '%"realm":%' OR body LIKE '%"plugin":"http"%')
"""


def upgrade() -> None:
    """Make the tables, and keep the realm of the sources that are there: their keys must stay."""
    op.create_table(
        "calls",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("streak", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=True),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", "status", name="pk_calls"),
    )
    op.create_table(
        "realms",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("realm", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("source", name="pk_realms"),
    )
    op.execute(OLD_SOURCES)
