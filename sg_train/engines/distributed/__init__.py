"""The engine for several processes, and the exchange of their changes."""
