"""What `make bench` runs. Every figure stands beside a baseline measured in the same run, because machines are noisy."""
