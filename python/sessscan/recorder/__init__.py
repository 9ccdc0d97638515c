"""What sessscan remembers between runs, in its own state folder. Nothing here writes into a store."""
