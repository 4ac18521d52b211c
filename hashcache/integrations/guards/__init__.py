"""What stands between an answer and the store: a search for secrets, and encryption under a user's own key."""
