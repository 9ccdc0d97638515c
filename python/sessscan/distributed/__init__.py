"""Divide the work among many machines, and join the results."""
