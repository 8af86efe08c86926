"""What a person is woken by.

Here: thresholds, and the topic that people subscribe to. Not here: how it is measured (``deploy/aws/lambda``), what the
platform itself notifies of (docs/operating.md).
"""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_logs as logs
from aws_cdk import aws_rds as rds
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from cinematch_stack.functions import PERIOD
from cinematch_stack.options import Options

METRICS = "Cinematch"
MAX_DAYS_SINCE_BATCH = 8
MAX_STORAGE_SHARE = 0.85
MAX_HEARTBEAT_AGE_S = 600
ALLOCATED_BYTES = 20 * 2**30
"""Of the Postgres instance as it is made."""


class Alarms(Construct):
    """A metric for each number that the health function logs, an alarm for each, one topic."""

    def __init__(
        self, scope: Construct, name: str, log: logs.ILogGroup, options: Options, instance: rds.DatabaseInstance | None
    ) -> None:
        super().__init__(scope, name)
        self._log = log
        self.topic = sns.Topic(self, "Topic", display_name="CineMatch", enforce_ssl=True)
        if options.alarm_email:
            self.topic.add_subscription(subscriptions.EmailSubscription(options.alarm_email))
        self._alarm("failed_runs", 0, "A run failed: Dagster's UI, Runs.")
        self._alarm(
            "days_since_batch", MAX_DAYS_SINCE_BATCH, "No batch was loaded for 8 days: is the folder being filled?"
        )
        self._alarm(
            "storage_share", MAX_STORAGE_SHARE, "The warehouse uses 85 % of its budget: docs/operating.md, Storage."
        )
        self._alarm(
            "heartbeat_age_s",
            MAX_HEARTBEAT_AGE_S,
            "A daemon of Dagster is silent: the daemon service's log.",
            periods=2,
        )
        if options.has_token:
            self._alarm(
                "token_age_days",
                options.token_days - 1,
                "The Google token expires within a day: cinematch drive login --push.",
            )
        if instance is not None:
            self._add(
                "disk_full",
                instance.metric_free_storage_space(period=PERIOD, statistic="Minimum"),
                cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
                (1 - MAX_STORAGE_SHARE) * ALLOCATED_BYTES,
                "Less than 15 % of the disk that Postgres began with is free; RDS enlarges it up to 100 GB.",
            )

    def _alarm(self, field: str, threshold: float, description: str, periods: int = 1) -> None:
        """An alarm on a number of the health function's line; a missing number counts as bad."""
        logs.MetricFilter(
            self,
            f"{field}-filter",
            log_group=self._log,
            filter_pattern=logs.FilterPattern.all(
                logs.FilterPattern.string_value("$.cinematch", "=", "health"), logs.FilterPattern.exists(f"$.{field}")
            ),
            metric_namespace=METRICS,
            metric_name=field,
            metric_value=f"$.{field}",
        )
        metric = cloudwatch.Metric(
            namespace=METRICS, metric_name=field, period=Duration.minutes(15), statistic="Maximum"
        )
        self._add(
            field, metric, cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD, threshold, description, periods=periods
        )

    def _add(
        self,
        name: str,
        metric: cloudwatch.IMetric,
        comparison: cloudwatch.ComparisonOperator,
        threshold: float,
        description: str,
        *,
        periods: int = 1,
    ) -> None:
        alarm = cloudwatch.Alarm(
            self,
            name,
            metric=metric,
            comparison_operator=comparison,
            threshold=threshold,
            evaluation_periods=periods,
            alarm_description=description,
            treat_missing_data=cloudwatch.TreatMissingData.BREACHING,
        )
        alarm.add_alarm_action(actions.SnsAction(self.topic))
        alarm.add_ok_action(actions.SnsAction(self.topic))
