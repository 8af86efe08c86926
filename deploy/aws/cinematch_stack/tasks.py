"""The ECS cluster and its tasks: webserver, daemon, code location, and the definition of a run.

Here: commands, sizes, environment, roles. Not here: single permissions (``access``), Dagster's settings
(``deploy/aws/dagster.yaml``).
"""

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecr_assets as assets
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_logs as logs
from aws_cdk import aws_servicediscovery as discovery
from constructs import Construct, IDependable

from cinematch_stack import access
from cinematch_stack.data import BACKUP, COMPUTE_LOGS, DRIVE, STORE, Data
from cinematch_stack.network import CODE_PORT, POSTGRES_PORT, WEB_PORT, Network
from cinematch_stack.options import Options
from cinematch_stack.paths import REPOSITORY
from cinematch_stack.reasons import NO_RESOURCE, explain, explain_wildcards, logical_id

NAMESPACE = "cinematch.internal"
HOME = "/var/lib/cinematch"
WORKSPACE = "/etc/cinematch/workspace.yaml"
DEFINITIONS = "cinematch_assets.definitions"
ALL_ADDRESSES = "0.0.0.0"  # noqa: S104 - of a container, which security groups guard
COMMANDS = {
    "webserver": [
        "python3", "-m", "cinematch_assets.webserver",
        "-h", ALL_ADDRESSES, "-p", str(WEB_PORT), "-w", WORKSPACE,
    ],
    "daemon": ["dagster-daemon", "run", "-w", WORKSPACE],
    "code": [
        "dagster", "api", "grpc", "--host", ALL_ADDRESSES, "--port", str(CODE_PORT),
        "--module-name", DEFINITIONS, "--location-name", "cinematch_assets",
    ],
}  # fmt: skip
SIZES = {"webserver": (512, 2048), "daemon": (512, 2048), "code": (512, 2048), "run": (2048, 8192)}
"""CPU units (1,024 are a processor) and MiB."""
RUN_DISK_GIB = 30


class Tasks(Construct):
    """Cluster, services, and the task that each run becomes."""

    def __init__(self, scope: Construct, name: str, network: Network, data: Data, options: Options) -> None:
        super().__init__(scope, name)
        self._network, self._data, self._options = network, data, options
        self.cluster = ecs.Cluster(
            self,
            "Cluster",
            vpc=network.vpc,
            container_insights_v2=ecs.ContainerInsights.ENABLED,
            # Sessions carry the UI's traffic; a log of them would need rights over all log groups.
            execute_command_configuration=ecs.ExecuteCommandConfiguration(logging=ecs.ExecuteCommandLogging.NONE),
            default_cloud_map_namespace=ecs.CloudMapNamespaceOptions(name=NAMESPACE),
        )
        self._image = self._image_of(options)
        self.run = self._definition("run", COMMANDS["code"])
        self.definitions = {name: self._definition(name, command) for name, command in COMMANDS.items()}
        self._allow()
        self.services = {name: self._service(name) for name in COMMANDS}

    def depend_on(self, database: IDependable) -> None:
        """Start no service before the database is initialised."""
        for service in self.services.values():
            service.node.add_dependency(database)

    def _image_of(self, options: Options) -> ecs.ContainerImage:
        if options.image:
            return ecs.ContainerImage.from_registry(options.image)
        return ecs.ContainerImage.from_asset(
            str(REPOSITORY),
            file="deploy/Dockerfile",
            build_args={"REQUIREMENTS": "mlflow"} if options.mlflow_tracking_uri else None,
            platform=assets.Platform.LINUX_AMD64,
        )

    def _definition(self, name: str, command: list[str]) -> ecs.FargateTaskDefinition:
        cpu, memory = SIZES[name]
        definition = ecs.FargateTaskDefinition(
            self,
            f"{name.capitalize()}Task",
            cpu=cpu,
            memory_limit_mib=memory,
            ephemeral_storage_gib=RUN_DISK_GIB if name == "run" else None,
            runtime_platform=ecs.RuntimePlatform(
                cpu_architecture=ecs.CpuArchitecture.X86_64, operating_system_family=ecs.OperatingSystemFamily.LINUX
            ),
        )
        container = definition.add_container(
            name,
            container_name=name,
            image=self._image,
            command=command,
            readonly_root_filesystem=True,
            environment=self._environment(name),
            secrets=self._secrets(name),
            stop_timeout=Duration.seconds(60),
            logging=ecs.LogDrivers.aws_logs(
                stream_prefix=name,
                log_group=logs.LogGroup(
                    self,
                    f"{name.capitalize()}Log",
                    retention=logs.RetentionDays.THREE_MONTHS,
                    removal_policy=RemovalPolicy.DESTROY,
                ),
            ),
            health_check=None
            if name == "run"  # the run's own process is its health: it ends when the run does
            else ecs.HealthCheck(
                command=["CMD", "python3", "/opt/cinematch/health.py"],
                interval=Duration.seconds(60),
                timeout=Duration.seconds(60),
                start_period=Duration.seconds(180),
                retries=3,
            ),
        )
        folders = {"home": HOME, "tmp": "/tmp"}  # noqa: S108 - in the container
        if name == "webserver":  # ECS Exec's agent writes here
            folders |= {"ssm": "/var/lib/amazon", "ssmlog": "/var/log/amazon"}
        for volume, place in folders.items():
            definition.add_volume(name=volume)
            container.add_mount_points(ecs.MountPoint(container_path=place, source_volume=volume, read_only=False))
        bucket, cluster = logical_id(self._data.bucket), logical_id(self.cluster)
        explain(
            definition, {"AwsSolutions-ECS2": "Addresses are in the environment; passwords come from Secrets Manager."}
        )
        task_of_cluster = f"arn:<AWS::Partition>:ecs:<AWS::Region>:<AWS::AccountId>:task/<{cluster}>/*"
        explain_wildcards(
            definition,
            {
                "*": NO_RESOURCE,
                **{
                    f"<{bucket}.Arn>/{prefix}/*": "Objects get their names as they are written."
                    for prefix in (STORE, DRIVE, COMPUTE_LOGS, BACKUP)
                },
                task_of_cluster: "Each run is a new task; the cluster is this stack's own.",
            },
        )
        return definition

    def _environment(self, name: str) -> dict[str, str]:
        server, bucket = self._data.server, self._data.bucket.bucket_name
        values = {
            "DAGSTER_HOME": "/etc/cinematch/aws",
            "DAGSTER_DB_HOST": server.host,
            "CINEMATCH_STORE": f"s3://{bucket}/{STORE}",
            "CINEMATCH_LOG_BUCKET": bucket,
            "CODE_LOCATION_HOST": f"code.{NAMESPACE}",
            "AWS_DEFAULT_REGION": self._network.vpc.stack.region,
        }
        if name != "run":
            values["RUN_TASK_DEFINITION"] = self.run.task_definition_arn
        if name in {"code", "run"}:
            values |= {
                # Without a password: libpq takes it from PGPASSWORD.
                "CINEMATCH_DATABASE_URL": f"postgresql://ml_pipeline@{server.host}:{POSTGRES_PORT}/{server.database}?sslmode=require",
                "CINEMATCH_DRIVE": f"s3://{bucket}/{DRIVE}" if self._data.token is None else self._options.drive,
                "CINEMATCH_BACKUP": f"s3://{bucket}/{BACKUP}",
                "CINEMATCH_STORAGE_BUDGET_MB": str(self._options.storage_budget_mb),
            }
            if self._data.token is not None:
                values["GCP_SECRET_NAME"] = self._data.token.secret_name
            if self._options.mlflow_tracking_uri:
                values["MLFLOW_TRACKING_URI"] = self._options.mlflow_tracking_uri
        return values

    def _secrets(self, name: str) -> dict[str, ecs.Secret]:
        passwords = self._data.passwords
        found = {"DAGSTER_DB_PASSWORD": ecs.Secret.from_secrets_manager(passwords["dagster"], "password")}
        if name in {"code", "run"}:
            found["PGPASSWORD"] = ecs.Secret.from_secrets_manager(passwords["ml_pipeline"], "password")
        if name == "code":  # where the sensors are evaluated that tell people and MLflow
            found |= {
                variable: ecs.Secret.from_secrets_manager(secret) for variable, secret in self._data.messaging.items()
            }
        return found

    def _allow(self) -> None:
        """Give each task's role what that task calls."""
        bucket = self._data.bucket
        statements = {
            "run": access.write_objects(bucket, STORE, COMPUTE_LOGS, BACKUP),
            "code": [*access.read_objects(bucket, STORE), *access.see_tasks(self.cluster)],
            "webserver": [
                *access.read_objects(bucket, STORE, COMPUTE_LOGS),
                *access.see_tasks(self.cluster),
                access.stop_tasks(self.cluster),
                access.open_session(),
            ],
            "daemon": [
                *access.read_objects(bucket, COMPUTE_LOGS),
                *access.see_tasks(self.cluster),
                access.stop_tasks(self.cluster),
                *access.launch_tasks(self.cluster, self.run),
            ],
        }
        for name in ("code", "run"):  # the drive sensor lists the folder, the run downloads from it
            if self._data.token is None:
                statements[name] += access.read_objects(bucket, DRIVE)
            else:
                statements[name].append(access.read_secret(self._data.token))
        for name, definition in (self.definitions | {"run": self.run}).items():
            for statement in statements[name]:
                definition.add_to_task_role_policy(statement)

    def _service(self, name: str) -> ecs.FargateService:
        return ecs.FargateService(
            self,
            name.capitalize(),
            cluster=self.cluster,
            task_definition=self.definitions[name],
            desired_count=1,
            # One daemon at a time, or schedules and queues are evaluated twice; the others are replaced without a gap.
            min_healthy_percent=0 if name == "daemon" else 100,
            max_healthy_percent=100 if name == "daemon" else 200,
            assign_public_ip=False,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS),
            security_groups=[self._network.tasks],
            circuit_breaker=ecs.DeploymentCircuitBreaker(rollback=True),
            enable_execute_command=name == "webserver",
            cloud_map_options=ecs.CloudMapOptions(name=name, dns_record_type=discovery.DnsRecordType.A)
            if name == "code"
            else None,
        )
