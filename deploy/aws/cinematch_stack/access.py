"""Who may do what: policies written out, action by action.

Here: statements for roles of tasks and functions. Not here: the roles themselves (``tasks``, ``functions``).
Helper methods of CDK grant patterns such as s3:GetObject*; here each action is one that is called.
"""

from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secrets


def read_objects(bucket: s3.IBucket, *prefixes: str) -> list[iam.PolicyStatement]:
    """Read and list objects under the prefixes."""
    return [
        iam.PolicyStatement(
            actions=["s3:GetObject"], resources=[bucket.arn_for_objects(f"{prefix}/*") for prefix in prefixes]
        ),
        iam.PolicyStatement(
            actions=["s3:ListBucket"],
            resources=[bucket.bucket_arn],
            conditions={"StringLike": {"s3:prefix": [f"{prefix}/*" for prefix in prefixes]}},
        ),
    ]


def write_objects(bucket: s3.IBucket, *prefixes: str) -> list[iam.PolicyStatement]:
    """Read, list, write and delete objects under the prefixes; versions outlive a deletion by the lifecycle's days."""
    return [
        *read_objects(bucket, *prefixes),
        iam.PolicyStatement(
            actions=["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
            resources=[bucket.arn_for_objects(f"{prefix}/*") for prefix in prefixes],
        ),
    ]


def read_secret(secret: secrets.ISecret) -> iam.PolicyStatement:
    """Read one secret's value."""
    return iam.PolicyStatement(actions=["secretsmanager:GetSecretValue"], resources=[_arn(secret)])


def describe_secret(secret: secrets.ISecret) -> iam.PolicyStatement:
    """See when a secret was changed, without its value."""
    return iam.PolicyStatement(actions=["secretsmanager:DescribeSecret"], resources=[_arn(secret)])


def _arn(secret: secrets.ISecret) -> str:
    """The ARN; of a secret that is known by its name alone, with the six characters that AWS adds."""
    return secret.secret_full_arn or f"{secret.secret_arn}-??????"


def see_tasks(cluster: ecs.ICluster) -> list[iam.PolicyStatement]:
    """What EcsRunLauncher asks before and after a launch: tasks, their definitions, their network interfaces."""
    return [
        iam.PolicyStatement(
            actions=["ecs:DescribeTasks"], resources=[_tasks_of(cluster)], conditions=_in_cluster(cluster)
        ),
        iam.PolicyStatement(actions=["ecs:DescribeTaskDefinition", "ec2:DescribeNetworkInterfaces"], resources=["*"]),
    ]


def stop_tasks(cluster: ecs.ICluster) -> iam.PolicyStatement:
    """Terminate a run."""
    return iam.PolicyStatement(
        actions=["ecs:StopTask"], resources=[_tasks_of(cluster)], conditions=_in_cluster(cluster)
    )


def launch_tasks(cluster: ecs.ICluster, definition: ecs.FargateTaskDefinition) -> list[iam.PolicyStatement]:
    """Start runs of one task definition in the cluster, under its two roles."""
    return [
        iam.PolicyStatement(
            actions=["ecs:RunTask"], resources=[definition.task_definition_arn], conditions=_in_cluster(cluster)
        ),
        iam.PolicyStatement(
            actions=["ecs:TagResource"],
            resources=[_tasks_of(cluster)],
            conditions={"StringEquals": {"ecs:CreateAction": "RunTask"}},
        ),
        iam.PolicyStatement(
            actions=["iam:PassRole"],
            resources=[definition.task_role.role_arn, definition.obtain_execution_role().role_arn],
            conditions={"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
        ),
    ]


def open_session() -> iam.PolicyStatement:
    """ECS Exec, by which people reach the UI."""
    return iam.PolicyStatement(
        actions=[
            "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
            "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel",
        ],
        resources=["*"],
    )  # fmt: skip


def _tasks_of(cluster: ecs.ICluster) -> str:
    return cluster.stack.format_arn(service="ecs", resource="task", resource_name=f"{cluster.cluster_name}/*")


def _in_cluster(cluster: ecs.ICluster) -> dict[str, dict[str, str]]:
    return {"ArnEquals": {"ecs:cluster": cluster.cluster_arn}}
