"""``cinematch notify``: the channels by which people are told.

Here: trying them, and what was told last. Not here: sending by itself (``pipeline.send_notifications``).
"""

from dataclasses import asdict

import typer

from cinematch_assets.cli.options import HowManyRows, Json
from cinematch_assets.cli.output import out, print_json, print_table
from cinematch_assets.errors import CinematchError
from cinematch_assets.plurals import count

app = typer.Typer(help="Channels of CINEMATCH_NOTIFY, and what people were told.", no_args_is_help=True)


@app.command()
def test() -> None:
    """Send a test message to each channel of CINEMATCH_NOTIFY, and say which took it."""
    from cinematch_assets.messaging.channels import read_channels
    from cinematch_assets.pipeline.send_notifications import try_channels
    from cinematch_assets.settings import Settings

    channels = read_channels(Settings.from_env().notify)
    if not channels.usable and not channels.faults:
        raise CinematchError("CINEMATCH_NOTIFY names no channel: docs/notifications.md shows how to set it")
    results = try_channels(channels.usable)
    for label, fault in results.items():
        out.print(f"not sent: {fault}" if fault else f"sent: {label}")
    for fault in channels.faults:
        out.print(f"not sent: {fault}")
    failed = len(channels.faults) + sum(map(bool, results.values()))
    if failed:
        tried = count(len(channels.faults) + len(results), "channel")
        raise CinematchError(f"{failed} of {tried} of CINEMATCH_NOTIFY failed")


@app.command("list")
def list_told(limit: HowManyRows = 20, json: Json = False) -> None:
    """Show what people were told last, whether or not a channel took it, and what waits for a channel."""
    from cinematch_assets.messaging.channels import read_channels
    from cinematch_assets.pipeline.platform import Platform
    from cinematch_assets.warehouse.notification_messages import list_channel_states
    from cinematch_assets.warehouse.notifications import list_notifications

    platform = Platform.open()
    channels = read_channels(platform.settings.notify)
    with platform.warehouse.session() as session:
        told = session.run(list_notifications, limit)
        states = session.run(list_channel_states, [channel.key for channel in channels.usable])
    if json:
        shown = [{**asdict(state), "channel": state.label} for state in states]
        print_json({"notifications": [asdict(each) for each in told], "channels": shown})
        return
    for each in told:
        out.print(f"{each.recorded_at:%Y-%m-%d %H:%M} {each.subject}: {each.body}")
        if each.next_step:
            out.print(f"  next: {each.next_step}")
    print_table("Channels", ("channel", "waiting", "fault"), [(s.label, s.waiting, s.fault) for s in states])
