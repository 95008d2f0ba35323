"""The first schema."""

from alembic import op

from hub.store.schema import metadata

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make all tables; frozen into statements of its own when the second revision comes."""
    metadata.create_all(op.get_bind())
