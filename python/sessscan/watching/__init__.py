"""Follow stores and repair them as they are damaged."""
