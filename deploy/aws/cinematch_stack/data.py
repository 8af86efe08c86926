"""What the platform keeps: the database's server, the bucket, the secrets.

Here: where data is, and that deleting the stack deletes none. Not here: who may read it (``access``).
"""

import json
from dataclasses import dataclass

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secrets
from constructs import Construct

from cinematch_stack.network import POSTGRES_PORT, Network
from cinematch_stack.options import Options
from cinematch_stack.reasons import explain

STORE, DRIVE, COMPUTE_LOGS, BACKUP = "store", "drive", "compute-logs", "backup"
"""Prefixes in the bucket."""
WAREHOUSE = "cinematch"
POSTGRES = ("17.10", "17")
"""A version that is offered, which a major number alone is not; RDS takes on newer minor ones by itself."""
ROLES = ("ml_pipeline", "analyst", "dagster")


@dataclass(frozen=True)
class Server:
    """Where Postgres is, and the secret of its owner."""

    host: str
    database: str
    owner: secrets.ISecret
    instance: rds.DatabaseInstance | None


class Data(Construct):
    """Bucket, secrets, Postgres."""

    def __init__(self, scope: Construct, name: str, network: Network, options: Options) -> None:
        super().__init__(scope, name)
        self.bucket = self._bucket()
        self.passwords = {role: self._password(role) for role in ROLES}
        self.token = self._token() if options.has_token else None
        self.messaging = self._messaging(options)
        self.server = self._neon(options) if options.database == "neon" else self._rds(network)

    def _bucket(self) -> s3.Bucket:
        bucket = s3.Bucket(
            self,
            "Bucket",
            versioned=True,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            removal_policy=RemovalPolicy.RETAIN,
            lifecycle_rules=[
                # S3 knows prefixes, not suffixes: the *.partial objects of running steps go with all logs of steps.
                s3.LifecycleRule(id="compute-logs", prefix=f"{COMPUTE_LOGS}/", expiration=Duration.days(30)),
                # Landed files, models and reports that the platform's retention deleted or a newer one replaced.
                s3.LifecycleRule(
                    id="superseded",
                    noncurrent_version_expiration=Duration.days(30),
                    abort_incomplete_multipart_upload_after=Duration.days(7),
                ),
            ],
        )
        explain(
            bucket,
            {
                "AwsSolutions-S1": "Access logs would need a second bucket for a team that trusts its own tasks; "
                "versions keep what was overwritten, and CloudTrail has data events for an audit.",
            },
        )
        return bucket

    def _password(self, role: str) -> secrets.Secret:
        secret = secrets.Secret(
            self,
            f"Password-{role}",
            description=f"Password of the Postgres role {role}",
            generate_secret_string=secrets.SecretStringGenerator(
                secret_string_template=json.dumps({"username": role}),
                generate_string_key="password",
                exclude_punctuation=True,
                password_length=40,
            ),
        )
        explain(secret, {"AwsSolutions-SMG4": _BY_UPDATE})
        return secret

    def _token(self) -> secrets.Secret:
        token = secrets.Secret(
            self,
            "GoogleToken",
            description="Google token, written by a person: cinematch drive login --push",
            removal_policy=RemovalPolicy.RETAIN,
        )
        explain(
            token, {"AwsSolutions-SMG4": "Only a person who signs in at Google gets a new token; an alarm asks for it."}
        )
        return token

    def _messaging(self, options: Options) -> dict[str, secrets.ISecret]:
        """Secrets made by hand, by the variable that is their value in the code location's sensors."""
        named = {"CINEMATCH_NOTIFY": options.notify_secret, "MLFLOW_TRACKING_TOKEN": options.mlflow_secret}
        return {
            variable: secrets.Secret.from_secret_name_v2(self, variable.title().replace("_", ""), name)
            for variable, name in named.items()
            if name
        }

    def _neon(self, options: Options) -> Server:
        owner = secrets.Secret.from_secret_name_v2(self, "Owner", options.neon_owner_secret)
        return Server(options.neon_host, options.neon_database, owner, None)

    def _rds(self, network: Network) -> Server:
        engine = rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.of(*POSTGRES))
        owner = rds.DatabaseSecret(self, "Owner", username="cinematch_owner")
        instance = rds.DatabaseInstance(
            self,
            "Postgres",
            engine=engine,
            credentials=rds.Credentials.from_secret(owner),
            database_name=WAREHOUSE,
            port=POSTGRES_PORT,
            vpc=network.vpc,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
            security_groups=[network.data],
            instance_type=ec2.InstanceType.of(ec2.InstanceClass.T4G, ec2.InstanceSize.SMALL),
            allocated_storage=20,
            max_allocated_storage=100,
            storage_type=rds.StorageType.GP3,
            storage_encrypted=True,
            multi_az=False,
            publicly_accessible=False,
            backup_retention=Duration.days(7),
            copy_tags_to_snapshot=True,
            deletion_protection=True,
            removal_policy=RemovalPolicy.SNAPSHOT,
            auto_minor_version_upgrade=True,
            cloudwatch_logs_exports=["postgresql"],
            parameter_group=rds.ParameterGroup(self, "Parameters", engine=engine, parameters={"rds.force_ssl": "1"}),
        )
        explain(owner, {"AwsSolutions-SMG4": _BY_UPDATE})
        explain(
            instance,
            {
                "AwsSolutions-SMG4": _BY_UPDATE,
                "AwsSolutions-RDS3": "A second zone doubles the price; backups and landed files rebuild it.",
                "AwsSolutions-RDS11": "Postgres' own port, in subnets without a way in or out.",
            },
        )
        return Server(instance.db_instance_endpoint_address, WAREHOUSE, owner, instance)


_BY_UPDATE = (
    "Rotated by hand: a new value in the secret, then an update of the stack, whose function sets it in Postgres and "
    "whose tasks start anew. A rotating function would need the owner's rights all the time."
)
