"""Reports on runs and vectors: tables, pictures and pages."""
