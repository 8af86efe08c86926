"""The network: two zones, one way out, and S3 without it.

Here: subnets, endpoints, who may talk to whom. Not here: what runs in it.
"""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_logs as logs
from constructs import Construct

POSTGRES_PORT = 5432
CODE_PORT = 4000
WEB_PORT = 3000


class Network(Construct):
    """VPC, endpoint, security groups.

    Tasks and functions are in private subnets; one NAT gateway leads to Google Drive, Neon, ECR and CloudWatch. S3 has
    a gateway endpoint: landed files cost no traffic through the NAT gateway, and the database's function can answer
    CloudFormation even while that is being made or removed.
    """

    def __init__(self, scope: Construct, name: str) -> None:
        super().__init__(scope, name)
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            max_azs=2,
            nat_gateways=1,
            restrict_default_security_group=False,  # the custom resource for it would need rights over all groups
            subnet_configuration=[
                ec2.SubnetConfiguration(
                    name="public", subnet_type=ec2.SubnetType.PUBLIC, cidr_mask=24, map_public_ip_on_launch=False
                ),
                ec2.SubnetConfiguration(name="tasks", subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS, cidr_mask=22),
                ec2.SubnetConfiguration(name="data", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=24),
            ],
        )
        self.s3_endpoint = self.vpc.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3)
        self.vpc.add_flow_log(
            "Rejected",
            traffic_type=ec2.FlowLogTrafficType.REJECT,
            destination=ec2.FlowLogDestination.to_cloud_watch_logs(
                logs.LogGroup(
                    self, "FlowLog", retention=logs.RetentionDays.ONE_MONTH, removal_policy=RemovalPolicy.DESTROY
                )
            ),
        )
        self.tasks = self._group("Tasks", "Webserver, daemon, code location and runs")
        self.functions = self._group("Functions", "Functions of the database and of its health")
        self.data = self._group("Data", "Postgres", all_outbound=False)
        self.tasks.add_ingress_rule(self.tasks, ec2.Port.tcp(CODE_PORT), "webserver and daemon to the code location")
        for source in (self.tasks, self.functions):
            self.data.add_ingress_rule(source, ec2.Port.tcp(POSTGRES_PORT), "Postgres")

    def _group(self, name: str, description: str, *, all_outbound: bool = True) -> ec2.SecurityGroup:
        return ec2.SecurityGroup(self, name, vpc=self.vpc, description=description, allow_all_outbound=all_outbound)
