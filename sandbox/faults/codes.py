"""The refusals a program that writes to Bitable can meet, in groups (FEISHU.md §5.7); it never decides when."""

from __future__ import annotations

from collections.abc import Mapping

DATA_NOT_CHANGED, RESUBMITTED, TIMED_OUT = 1254606, 1254608, 1255040

TRANSIENT = (1254002, 1254036, 1254112, 1254290, 1254291, 1254607, *range(1255001, 1255006), TIMED_OUT)
"""Gone when the call is repeated."""

LAG = tuple(range(1254040, 1254046))
"""Not found, although it is there: a replica is behind. Gone a moment later."""

CONFLICT = (RESUBMITTED, 1255006)
"""About the ``client_token``: verify, then a new one."""

SETTLED = (DATA_NOT_CHANGED,)
"""Success by another name."""

LASTING = (
    *(1254000, 1254001, 1254003, 1254004, 1254005, 1254006, 1254007, 1254008, 1254009, 1254010, 1254011),
    *(1254013, 1254014, 1254015, 1254030, 1254037),
    *(*range(1254060, 1254070), 1254072, 1254074, *range(1254080, 1254097)),
    *(1254100, 1254101, 1254102, 1254103, 1254104, 1254105, 1254106, 1254107, 1254108, 1254130),
    *(1254301, 1254302, 1254303, 1254304, 1254305, 1254306, 1254701, 1254702),
)
"""The same again, until somebody changes the request, the table or the permissions."""

EVERY_WRITERS = tuple(sorted({*TRANSIENT, *LAG, *CONFLICT, *SETTLED, *LASTING}))

GROUPS: Mapping[str, tuple[int, ...]] = {
    "transient": TRANSIENT,
    "lag": LAG,
    "conflict": CONFLICT,
    "settled": SETTLED,
    "lasting": LASTING,
    "writer": EVERY_WRITERS,
}

DONE: Mapping[int, float] = {DATA_NOT_CHANGED: 1.0, RESUBMITTED: 1.0, TIMED_OUT: 0.5}
"""The share of cases in which the call had been carried out all the same; of every other code 0."""
