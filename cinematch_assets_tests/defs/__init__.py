"""Assets, jobs and sensors."""
