"""Archives what a group pins, tells the group, and publishes pins for other plugins; ``README.md`` says how.

Its rules are imported by the hooks that need them: commands read the manifest only, and should not wait for more.
"""

from __future__ import annotations

from core import Context, Event, Manifest, Recall, Schedule, hookimpl

from .settings import Watching
from .tables import GROUPS, KNOWN, PIN

manifest = Manifest(
    name="pin",
    summary="Archives pinned messages and announces new ones.",
    permissions=(
        "im:message:readonly",  # pins, the messages, their attachments, recalls
        "im:message.group_msg",
        "im:message:send_as_bot",
        "im:chat:read",
        "contact:contact.base:readonly",
        "contact:user.base:readonly",
        "bitable:app",
    ),
    tables=(PIN, KNOWN, GROUPS),
    carried=("pin", "known", "groups", "state"),  # they come from asking, not from events
    config=Watching,
    events=("attachment.done",),
    publishes=("pin.added", "pin.removed"),
    schedules=(Schedule("poll", timeout=240.0), Schedule("audit", timeout=60.0)),
)


@hookimpl
async def startup(ctx: Context[Watching]) -> None:
    """Look at once, to the oldest pin of each group: some may have been set or taken off meanwhile."""
    from .announcing import arm_audit

    groups = ctx.table(GROUPS)
    for group in groups.scan():
        groups.set(group["chat_id"], stale=1, rest_until=None)
    ctx.state.set("warned", False)
    ctx.schedule("poll", at=ctx.now())
    arm_audit(ctx)


@hookimpl
async def on_schedule(schedule: str, ctx: Context[Watching]) -> None:
    """Do a slice of a round, or send the audit."""
    from .announcing import audit
    from .rounds import Round

    if schedule == "poll":
        ctx.schedule("poll", at=await Round(ctx).go_on())
    else:
        await audit(ctx)


@hookimpl
async def on_recall(recall: Recall, ctx: Context[Watching]) -> None:
    """Blank the row of a pinned message that was taken back."""
    from .rows import note_recall

    note_recall(ctx, recall.message_id)


@hookimpl
async def on_event(event: Event, ctx: Context[Watching]) -> None:
    """Put an attachment into the row that waits for it."""
    from .rows import note_attachment

    note_attachment(ctx, event.event)
