"""What the pages keep in a browser: cookies."""
