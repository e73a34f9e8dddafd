"""What a synthesiser and its federation show on their page."""
