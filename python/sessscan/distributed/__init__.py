"""Work divided among many machines."""
