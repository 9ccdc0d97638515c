"""List sessions: all of this user's, and as the official SDK lists them."""
