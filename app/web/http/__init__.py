"""What is done to each request and response, whatever its route."""
