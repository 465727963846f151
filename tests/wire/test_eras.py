"""The frozen method table, held against the SDK's."""

from __future__ import annotations

from mcp_types import methods as sdk

from stdioguard.wire import eras

TASKS = {
    "tasks/get",
    "tasks/result",
    "tasks/list",
    "tasks/cancel",
    "tasks/update",
    "notifications/tasks",
    "notifications/tasks/status",
}
"""In the specification, not in the SDK's tables: its `methods` module says so."""


def ours(*tables: dict[str, eras.Method]) -> set[tuple[str, str]]:
    return {(m.name, revision) for table in tables for m in table.values() for revision in m.revisions if m.name not in TASKS}


def test_every_revision_has_the_methods_that_the_sdk_knows_and_no_others() -> None:
    assert ours(eras.CLIENT_REQUESTS) == set(sdk.CLIENT_REQUESTS)
    assert ours(eras.CLIENT_NOTIFICATIONS) == set(sdk.CLIENT_NOTIFICATIONS)
    assert ours(eras.SERVER_REQUESTS) == set(sdk.SERVER_REQUESTS)
    assert ours(eras.SERVER_NOTIFICATIONS) == set(sdk.SERVER_NOTIFICATIONS)
    assert eras.INPUT_REQUIRED_METHODS == sdk.INPUT_REQUIRED_METHODS


def test_no_method_lacks_a_parameter_that_the_sdk_knows() -> None:
    for table, sdk_table in (
        (eras.CLIENT_REQUESTS, sdk.CLIENT_REQUESTS),
        (eras.CLIENT_NOTIFICATIONS, sdk.CLIENT_NOTIFICATIONS),
        (eras.SERVER_REQUESTS, sdk.SERVER_REQUESTS),
        (eras.SERVER_NOTIFICATIONS, sdk.SERVER_NOTIFICATIONS),
    ):
        for (name, _), model in sdk_table.items():
            params = model.model_fields["params"].annotation
            for kind in getattr(params, "__args__", (params,)):
                for parameter in getattr(kind, "__args__", (kind,)):
                    if hasattr(parameter, "model_fields"):
                        names = {field.alias or field_name for field_name, field in parameter.model_fields.items()}
                        assert names <= table[name].params, name


def test_imitations_of_protocol_keys_are_found_and_the_keys_themselves_are_not() -> None:
    for honest in ("name", "arguments", "_meta", "isError", "vendorKey", "x", "traceparent", "com.example/name"):
        assert eras.imitation({honest: 1}) is None
    for imitation in ("Name", "ARGUMENTS", "_Meta", "iserror", "\u017ftructuredContent", "name\0", "a\nb", "tas\u212a"):
        assert eras.imitation({imitation: 1}) == imitation
