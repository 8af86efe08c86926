-- One row per evaluated version.
INSERT INTO model_metrics (model_version, rmse, mae, precision_at_10, data_size, notes)
VALUES (%(version)s, %(rmse)s, %(mae)s, %(precision_at_10)s, %(data_size)s, %(notes)s)
