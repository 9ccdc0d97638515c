"""Give results as Arrow tables, and write such tables to files."""
