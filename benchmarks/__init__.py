"""Speed beside what one would use instead, measured in one run: `make bench`."""
