"""Word vectors from any tool: reading, writing, look-ups and evaluation."""
