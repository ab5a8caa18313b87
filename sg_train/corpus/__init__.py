"""Text to ids: reading, tokenizing, counting, and the prepared corpus on disk."""
