"""What every feature uses: no request, no feature."""
