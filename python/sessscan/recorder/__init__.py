"""What sessscan remembers between runs."""
