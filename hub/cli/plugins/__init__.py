"""`hub plugins`: what is installed, what it declares, how good it is, and how a plugin is begun and checked."""
