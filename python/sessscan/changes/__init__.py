"""Plan changes to the user's files, apply the plan, and undo it."""
