"""Jobs, and the sensors and the schedule that start them."""
