"""What the pages share: static files, the service's name and logo, the settings."""
