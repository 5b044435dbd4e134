"""How refusals and failures are answered."""
