"""Text to ids: reading, tokenising, counting, and the prepared corpus on disk."""
