"""What `make bench` runs: the product and its peers under the same load, in one run."""
