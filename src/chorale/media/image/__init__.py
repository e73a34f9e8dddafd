"""Images in, by way of Pillow."""
