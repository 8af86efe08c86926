DROP TABLE ops.batch_performance;
