"""What people look at: tables, pictures and pages of runs and vectors."""
