"""Why a rule of cdk-nag is not followed: a reason for each rule and place, so that each can be questioned.

Here: attaching reasons, and those for wildcards in policies. Not here: the resources.
"""

from collections.abc import Mapping

import aws_cdk as cdk
from constructs import IConstruct

NO_RESOURCE = (
    "Resource * stands for actions that AWS defines for no single resource: ecr:GetAuthorizationToken to pull the "
    "image, ecs:DescribeTaskDefinition and ec2:DescribeNetworkInterfaces as EcsRunLauncher asks, ec2:*NetworkInterface "
    "as Lambda needs in a VPC, ssmmessages:* for sessions. access.py and functions.py name each action."
)


def explain(scope: IConstruct, reasons: Mapping[str, str]) -> None:
    """Attach reasons to the construct and all below it."""
    cdk.Validations.of(scope).acknowledge(
        *(cdk.Acknowledgment(id=rule, reason=reason) for rule, reason in reasons.items())
    )


def explain_wildcards(scope: IConstruct, reasons: Mapping[str, str]) -> None:
    """Attach reasons to wildcards in the policies below a construct, each by the resource as cdk-nag writes it."""
    found = {f"AwsSolutions-IAM5[Resource::{resource}]": reason for resource, reason in reasons.items()}
    explain(scope, found)


def logical_id(construct: IConstruct) -> str:
    """The name that a resource has in the template."""
    resource = construct.node.default_child
    if not isinstance(resource, cdk.CfnElement):
        raise TypeError(f"{construct.node.path} has no resource of its own")
    return cdk.Stack.of(construct).get_logical_id(resource)
