"""The stack: the parts, and what a person needs to know of them afterwards.

Here: putting the parts together. Not here: the parts (``network``, ``data``, ``functions``, ``tasks``, ``alarms``).
"""

from typing import Any

from aws_cdk import CfnOutput, Stack, Tags
from constructs import Construct

from cinematch_stack.alarms import Alarms
from cinematch_stack.data import DRIVE, Data
from cinematch_stack.functions import Functions
from cinematch_stack.network import Network
from cinematch_stack.options import Options
from cinematch_stack.tasks import Tasks


class CinematchStack(Stack):
    """Everything that one installation of the platform has on AWS."""

    def __init__(self, scope: Construct, name: str, options: Options, **how: Any) -> None:
        super().__init__(scope, name, description="CineMatch: from movie ratings to recommendations", **how)
        network = Network(self, "Network")
        data = Data(self, "Data", network, options)
        functions = Functions(self, "Functions", network, data, options)
        tasks = Tasks(self, "Tasks", network, data, options)
        tasks.depend_on(functions.database)
        Alarms(self, "Alarms", functions.health_log, options, data.server.instance)
        Tags.of(self).add("project", "cinematch")

        CfnOutput(self, "ClusterName", value=tasks.cluster.cluster_name)
        CfnOutput(self, "WebserverService", value=tasks.services["webserver"].service_name)
        CfnOutput(self, "BucketName", value=data.bucket.bucket_name)
        CfnOutput(self, "Schema", value=functions.database.get_att_string("Schema"))
        if data.token is not None:
            CfnOutput(self, "TokenSecretName", value=data.token.secret_name)
        else:
            CfnOutput(self, "DriveFolder", value=f"s3://{data.bucket.bucket_name}/{DRIVE}")
