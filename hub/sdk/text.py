"""Text from networks made safe: HTML to plain text, sanitised HTML, times. Pure, so translate modules may use it."""
