"""Sites that learn together: their keys, the files that they exchange, and the joint model."""
