"""Ids to windows: what is kept, how wide each window is, which negatives are drawn."""
