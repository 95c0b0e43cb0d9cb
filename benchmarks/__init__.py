"""Three hot paths beside their floor, measured in one run: `make bench`."""
