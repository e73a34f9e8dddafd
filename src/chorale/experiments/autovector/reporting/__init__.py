"""What a search shows on its page."""
