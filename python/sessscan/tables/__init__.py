"""Arrow tables, and files of them."""
