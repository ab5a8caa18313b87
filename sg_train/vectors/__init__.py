"""Word vectors, whoever trained them: reading, writing and asking for neighbours."""
