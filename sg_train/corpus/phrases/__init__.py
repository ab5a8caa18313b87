"""Finds, saves and joins the phrases of a text."""
