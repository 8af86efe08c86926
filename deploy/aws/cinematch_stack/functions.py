"""The two Lambda functions and the custom resource that is the database's content.

Here: their settings. Not here: their code (``deploy/aws/lambda``), their zip (``deploy/aws/bundle.py``).
"""

import hashlib

from aws_cdk import CustomResource, Duration, RemovalPolicy
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from cinematch_stack import access
from cinematch_stack.data import Data
from cinematch_stack.network import POSTGRES_PORT, Network
from cinematch_stack.options import Options
from cinematch_stack.paths import REPOSITORY
from cinematch_stack.reasons import NO_RESOURCE, explain, explain_wildcards, logical_id

BUNDLE = REPOSITORY / "build" / "lambda.zip"
DATABASE_TIMEOUT = Duration.minutes(10)
PERIOD = Duration.minutes(5)


class Functions(Construct):
    """The database's function with its custom resource, and the health function with its schedule."""

    def __init__(self, scope: Construct, name: str, network: Network, data: Data, options: Options) -> None:
        super().__init__(scope, name)
        self._network, self._data = network, data
        self.database = self._database(options)
        self.health_log, self.health = self._health(options)

    def _database(self, options: Options) -> CustomResource:
        _, function, role = self._function("Setup", "database.handler", DATABASE_TIMEOUT, {})
        for secret in (self._data.server.owner, *self._data.passwords.values()):
            role.add_to_policy(access.read_secret(secret))
        resource = CustomResource(
            self,
            "Database",
            resource_type="Custom::Database",
            service_token=function.function_arn,
            service_timeout=Duration.minutes(15),
            removal_policy=RemovalPolicy.RETAIN,
            properties={
                "OwnerSecret": self._data.server.owner.secret_arn,
                "Roles": {role: secret.secret_arn for role, secret in self._data.passwords.items()},
                "Databases": {"dagster": "dagster"},
                "PlaintextPasswords": str(options.database == "neon").lower(),
                # A new migration is a new bundle, and makes CloudFormation call the function.
                "Bundle": hashlib.sha256(BUNDLE.read_bytes()).hexdigest(),
            },
        )
        # Its answer leaves through the endpoint, its question through the NAT gateway: both live longer than it.
        ways_out = [subnet.internet_connectivity_established for subnet in self._network.vpc.private_subnets]
        resource.node.add_dependency(*ways_out, self._network.s3_endpoint)
        resource.node.add_dependency(function)
        if self._data.server.instance is not None:
            resource.node.add_dependency(self._data.server.instance)
        return resource

    def _health(self, options: Options) -> tuple[logs.LogGroup, lambda_.Function]:
        server, passwords, token = self._data.server, self._data.passwords, self._data.token
        environment = {
            "WAREHOUSE_URL": f"postgresql://analyst@{server.host}:{POSTGRES_PORT}/{server.database}?sslmode=require",
            "WAREHOUSE_SECRET": passwords["analyst"].secret_arn,
            "DAGSTER_URL": f"postgresql://dagster@{server.host}:{POSTGRES_PORT}/dagster?sslmode=require",
            "DAGSTER_SECRET": passwords["dagster"].secret_arn,
            "STORAGE_BUDGET_MB": str(options.storage_budget_mb),
            "PERIOD_MINUTES": str(int(PERIOD.to_minutes())),
        }
        if token is not None:
            environment["TOKEN_SECRET"] = token.secret_arn
        log, function, role = self._function("Health", "health.handler", Duration.minutes(1), environment)
        for secret in (passwords["analyst"], passwords["dagster"]):
            role.add_to_policy(access.read_secret(secret))
        if token is not None:
            role.add_to_policy(access.describe_secret(token))
        events.Rule(self, "Schedule", schedule=events.Schedule.rate(PERIOD), targets=[targets.LambdaFunction(function)])
        return log, function

    def _function(
        self, name: str, handler: str, timeout: Duration, environment: dict[str, str]
    ) -> tuple[logs.LogGroup, lambda_.Function, iam.Role]:
        log = logs.LogGroup(
            self, f"{name}Log", retention=logs.RetentionDays.THREE_MONTHS, removal_policy=RemovalPolicy.DESTROY
        )
        role = iam.Role(self, f"{name}Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[f"{log.log_group_arn}:log-stream:*"]
            )
        )
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DeleteNetworkInterface"],
                resources=["*"],
            )
        )
        function = lambda_.Function(
            self,
            name,
            runtime=lambda_.Runtime.PYTHON_3_11,
            handler=handler,
            code=lambda_.Code.from_asset(str(BUNDLE)),
            role=role,
            memory_size=512,
            timeout=timeout,
            environment=environment,
            log_group=log,
            vpc=self._network.vpc,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS),
            security_groups=[self._network.functions],
        )
        explain(
            function,
            {"AwsSolutions-L1": "Python 3.11 is what the bundle's pins are tested with; supported until June 2027."},
        )
        explain_wildcards(
            role,
            {
                "*": NO_RESOURCE,
                f"<{logical_id(log)}.Arn>:log-stream:*": "Streams of the function's log get their names when it runs.",
            },
        )
        return log, function, role
