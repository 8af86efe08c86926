"""The platform on AWS: network, data, tasks, alarms."""
