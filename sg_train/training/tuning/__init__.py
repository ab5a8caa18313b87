"""Searching for better settings: `sg-train tune`. Read `tune` first."""
