"""Consumers: RQ workers, the scheduler, stream listeners. They stand on the hub, which does not know them."""
