"""The only room where pure code and I/O meet: each flow reads, calls the core, writes, and rings."""
