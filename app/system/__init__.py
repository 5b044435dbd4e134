"""What operators and visitors ask of the service itself."""
