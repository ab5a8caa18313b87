"""Formats of text: each reader turns a file into sentences. Read `detect` first."""
