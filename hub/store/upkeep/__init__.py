"""What keeps stored signals in order over time: threads that join late, posts that are gone, posts that are looked at again."""
