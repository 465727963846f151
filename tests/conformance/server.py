"""A stdio server that offers what the conformance suite calls: tools, prompts, resources, notifications.

Everything is served by the SDK in both eras; this file holds only the answers. Results are written in their
wire form, so that what a scenario asks for and what is sent can be compared by eye. Tasks live in
`server_tasks.py`.
"""

from __future__ import annotations

import asyncio
import warnings
from typing import Any

import mcp_types as types
import server_tasks
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.server.stdio import stdio_server
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    ListenHandler,
    PromptsListChanged,
    ToolsListChanged,
)
from mcp.shared.exceptions import MCPDeprecationWarning, MCPError
from shapes import (
    MODERN,
    NAME_FORM,
    OK_FORM,
    PIXEL,
    SILENCE,
    Context,
    Handler,
    answer,
    ask,
    content,
    elicitation,
    embedded,
    image,
    messages,
    prompt,
    prompts,
    sampling,
    strings,
    text,
    tool,
    tools,
)

bus = InMemorySubscriptionBus()


# --- tools: plain results ---------------------------------------------------------------------------------


@tool("Answers with one text block.")
async def test_simple_text(ctx: Context, params: Any) -> Any:
    return content("A simple text answer.")


@tool("Answers with one image.")
async def test_image_content(ctx: Context, params: Any) -> Any:
    return content(image())


@tool("Answers with one sound.")
async def test_audio_content(ctx: Context, params: Any) -> Any:
    return content({"type": "audio", "data": SILENCE, "mimeType": "audio/wav"})


@tool("Answers with one embedded resource.")
async def test_embedded_resource(ctx: Context, params: Any) -> Any:
    return content(embedded("test://embedded-resource", "The text of an embedded resource."))


@tool("Answers with a text, an image and a resource.")
async def test_multiple_content_types(ctx: Context, params: Any) -> Any:
    data = embedded("test://mixed-content-resource", '{"kind": "mixed"}', "application/json")
    return content("Three kinds of content:", image(), data)


@tool("Always fails.")
async def test_error_handling(ctx: Context, params: Any) -> Any:
    return {**content("This tool always fails."), "isError": True}


@tool("Answers late, for clients that poll.")
async def test_reconnection(ctx: Context, params: Any) -> Any:
    await asyncio.sleep(0.05)
    return content("Answered late.")


@tool("Has an argument that HTTP clients mirror in a header.", {
    "type": "object",
    "properties": {"region": {"type": "string", "x-mcp-header": "Region"}},
    "required": ["region"],
})  # fmt: skip
async def test_header_parameter(ctx: Context, params: Any) -> Any:
    return content(f"Region {params.arguments['region']}.")


@tool("Has an input schema with the vocabulary of JSON Schema 2020-12.", {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {"$anchor": "home", "type": "object", "properties": {"street": {"type": "string"}}},
    },
    "properties": {
        "address": {"$ref": "#/$defs/address"},
        "channel": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"channel": {"const": "phone"}}, "required": ["channel"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
})  # fmt: skip
async def json_schema_2020_12_tool(ctx: Context, params: Any) -> Any:
    return content("The schema is the point.")


# --- tools: notifications and requests while a call runs --------------------------------------------------


@tool("Sends three log messages.")
async def test_tool_with_logging(ctx: Context, params: Any) -> Any:
    for message in ("Started", "Working", "Done"):
        await ctx.session.send_log_message("info", message, related_request_id=ctx.request_id)
        await asyncio.sleep(0.02)
    return content("Logged three times.")


@tool("Sends a log message if the request opts in.")
async def test_logging_tool(ctx: Context, params: Any) -> Any:
    await ctx.session.send_log_message("info", "Only for those who ask", related_request_id=ctx.request_id)
    return content("Logged for those who asked.")


@tool("Reports progress three times.")
async def test_tool_with_progress(ctx: Context, params: Any) -> Any:
    for done in (0, 50, 100):
        await ctx.session.report_progress(done, 100, f"{done} of 100")
        await asyncio.sleep(0.02)
    return content("Progress reported.")


@tool("Asks the client's model.", strings("prompt"))
async def test_sampling(ctx: Context, params: Any) -> Any:
    question = types.SamplingMessage(role="user", content=types.TextContent(type="text", text=params.arguments["prompt"]))
    result = await ctx.session.create_message([question], max_tokens=100, related_request_id=ctx.request_id)
    said = result.content.text if result.content.type == "text" else result.content.type
    return content(f"The model says: {said}")


async def elicit(ctx: Context, message: str, properties: dict[str, Any], required: list[str]) -> Any:
    schema = {"type": "object", "properties": properties, "required": required}
    result = await ctx.session.elicit_form(message, schema, related_request_id=ctx.request_id)
    return content(f"Elicitation: action={result.action}, content={result.content}")


@tool("Asks the user for a name and an address.", strings("message"))
async def test_elicitation(ctx: Context, params: Any) -> Any:
    fields = {"username": {"type": "string"}, "email": {"type": "string", "format": "email"}}
    return await elicit(ctx, params.arguments["message"], fields, ["username", "email"])


@tool("Asks the user with a default for every primitive type.")
async def test_elicitation_sep1034_defaults(ctx: Context, params: Any) -> Any:
    fields = {
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        "verified": {"type": "boolean", "default": True},
    }
    return await elicit(ctx, "Check these values", fields, [])


@tool("Asks the user with every form of enumeration.")
async def test_elicitation_sep1330_enums(ctx: Context, params: Any) -> Any:
    titled = [{"const": f"value{i}", "title": f"Choice {i}"} for i in (1, 2, 3)]
    plain = ["option1", "option2", "option3"]
    legacy = ["opt1", "opt2", "opt3"]
    fields = {
        "untitledSingle": {"type": "string", "enum": plain},
        "titledSingle": {"type": "string", "oneOf": titled},
        "legacyEnum": {"type": "string", "enum": legacy, "enumNames": ["One", "Two", "Three"]},
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": plain}},
        "titledMulti": {"type": "array", "items": {"anyOf": titled}},
    }
    return await elicit(ctx, "Choose", fields, [])


@tool("Announces that the tools changed.")
async def test_trigger_tool_change(ctx: Context, params: Any) -> Any:
    await bus.publish(ToolsListChanged())
    return content("Tools changed.")


@tool("Announces that the prompts changed.")
async def test_trigger_prompt_change(ctx: Context, params: Any) -> Any:
    await bus.publish(PromptsListChanged())
    return content("Prompts changed.")


# --- tools: rounds of input, and the capabilities that they need ------------------------------------------


@tool("Needs a client that samples.")
async def test_missing_capability(ctx: Context, params: Any) -> Any:
    if not ctx.session.check_client_capability(types.ClientCapabilities(sampling=types.SamplingCapability())):
        needed: dict[str, Any] = {"requiredCapabilities": {"sampling": {}}}
        raise MCPError(types.MISSING_REQUIRED_CLIENT_CAPABILITY, "This tool needs sampling", needed)
    return content("The client samples.")


@tool("Asks for a name, on the response stream's terms.")
async def test_streaming_elicitation(ctx: Context, params: Any) -> Any:
    return ask({"user_name": elicitation("What is your name?", NAME_FORM)})


@tool("Asks for a name.")
async def test_input_required_result_elicitation(ctx: Context, params: Any) -> Any:
    reply = answer(params, "user_name")
    if reply is None:
        return ask({"user_name": elicitation("What is your name?", NAME_FORM)})
    return content(f"Hello, {(reply.content or {}).get('name')}!")


@tool("Asks the client's model.")
async def test_input_required_result_sampling(ctx: Context, params: Any) -> Any:
    reply = answer(params, "capital_question")
    if reply is None:
        return ask({"capital_question": sampling("What is the capital of France?")})
    return content(f"The model says: {reply.content.text}")


@tool("Asks for the roots.")
async def test_input_required_result_list_roots(ctx: Context, params: Any) -> Any:
    reply = answer(params, "client_roots")
    if reply is None:
        return ask({"client_roots": {"method": "roots/list", "params": {}}})
    return content(f"{len(reply.roots)} root(s)")


@tool("Asks for a yes, and keeps state between the rounds.")
async def test_input_required_result_request_state(ctx: Context, params: Any) -> Any:
    if answer(params, "confirm") is None or params.request_state != "asked":
        return ask({"confirm": elicitation("Please confirm", OK_FORM)}, "asked")
    return content("state-ok")


@tool("Asks for a yes, and refuses a state that it did not write.")
async def test_input_required_result_tampered_state(ctx: Context, params: Any) -> Any:
    return await test_input_required_result_request_state(ctx, params)


@tool("Asks a person, a model and the client at once.")
async def test_input_required_result_multiple_inputs(ctx: Context, params: Any) -> Any:
    wanted = {
        "user_name": elicitation("What is your name?", NAME_FORM),
        "greeting": sampling("Write a greeting"),
        "client_roots": {"method": "roots/list", "params": {}},
    }
    if any(answer(params, key) is None for key in wanted):
        return ask(wanted, "asked")
    return content("All three answered.")


@tool("Asks twice, one after the other.")
async def test_input_required_result_multi_round(ctx: Context, params: Any) -> Any:
    if params.request_state == "first" and answer(params, "step1") is not None:
        return ask({"step2": elicitation("Step 2: which colour?", strings("color"))}, "second")
    if params.request_state == "second" and answer(params, "step2") is not None:
        return content("Both steps answered.")
    return ask({"step1": elicitation("Step 1: which name?", NAME_FORM)}, "first")


@tool("Asks only for what the client can do.")
async def test_input_required_result_capabilities(ctx: Context, params: Any) -> Any:
    able = ctx.session.client_capabilities or types.ClientCapabilities()
    wanted: dict[str, Any] = {}
    if able.elicitation is not None:
        wanted["user_name"] = elicitation("What is your name?", NAME_FORM)
    if able.sampling is not None:
        wanted["greeting"] = sampling("Write a greeting")
    return ask(wanted) if wanted else content("Nothing to ask.")


# --- prompts, resources, completion -----------------------------------------------------------------------


@prompt("A prompt without arguments.")
async def test_simple_prompt(ctx: Context, params: Any) -> Any:
    return messages(text("A simple prompt."))


@prompt("A prompt with two arguments.", "arg1", "arg2")
async def test_prompt_with_arguments(ctx: Context, params: Any) -> Any:
    return messages(text(f"First {params.arguments['arg1']}, then {params.arguments['arg2']}."))


@prompt("A prompt that embeds a resource.", "resourceUri")
async def test_prompt_with_embedded_resource(ctx: Context, params: Any) -> Any:
    resource = embedded(params.arguments["resourceUri"], "The text of an embedded resource.")
    return messages(resource, text("Read the resource above."))


@prompt("A prompt that shows an image.")
async def test_prompt_with_image(ctx: Context, params: Any) -> Any:
    return messages(image(), text("Describe the image above."))


@prompt("A prompt that asks for its context.")
async def test_input_required_result_prompt(ctx: Context, params: Any) -> Any:
    reply = answer(params, "user_context")
    if reply is None:
        return ask({"user_context": elicitation("Which context?", strings("context"))})
    return messages(text(f"Context: {(reply.content or {}).get('context')}"))


RESOURCES = {
    "test://static-text": {"mimeType": "text/plain", "text": "The content of the static text resource."},
    "test://static-binary": {"mimeType": "image/png", "blob": PIXEL},
    "test://watched-resource": {"mimeType": "text/plain", "text": "The content of the watched resource."},
}
TEMPLATE = "test://template/{id}/data"


async def list_tools(ctx: Context, params: Any) -> Any:
    return {"tools": [entry for entry, _ in tools.values()]}


async def call_tool(ctx: Context, params: Any) -> Any:
    if params.name not in tools:
        raise MCPError(types.INVALID_PARAMS, f"Unknown tool: {params.name}")
    return await tools[params.name][1](ctx, params)


async def list_prompts(ctx: Context, params: Any) -> Any:
    return {"prompts": [entry for entry, _ in prompts.values()]}


async def get_prompt(ctx: Context, params: Any) -> Any:
    if params.name not in prompts:
        raise MCPError(types.INVALID_PARAMS, f"Unknown prompt: {params.name}")
    return await prompts[params.name][1](ctx, params)


async def list_resources(ctx: Context, params: Any) -> Any:
    return {
        "resources": [
            {"uri": uri, "name": uri.removeprefix("test://"), "mimeType": body["mimeType"]} for uri, body in RESOURCES.items()
        ]
    }


async def list_templates(ctx: Context, params: Any) -> Any:
    template = {"uriTemplate": TEMPLATE, "name": "template", "mimeType": "application/json"}
    return {"resourceTemplates": [template]}


async def read_resource(ctx: Context, params: Any) -> Any:
    uri = str(params.uri)
    prefix, suffix = TEMPLATE.split("{id}")
    if uri in RESOURCES:
        return {"contents": [{"uri": uri, **RESOURCES[uri]}]}
    if uri.startswith(prefix) and uri.endswith(suffix):
        body = f'{{"id": "{uri[len(prefix) : -len(suffix)]}"}}'
        return {"contents": [{"uri": uri, "mimeType": "application/json", "text": body}]}
    code = types.INVALID_PARAMS if ctx.protocol_version == MODERN else -32002
    raise MCPError(code, "Resource not found", {"uri": uri})


async def complete(ctx: Context, params: Any) -> Any:
    values = [value for value in ("testing", "tested", "other") if value.startswith(params.argument.value)]
    return {"completion": {"values": values, "total": len(values), "hasMore": False}}


async def accept(ctx: Context, params: Any) -> Any:
    """Subscriptions and log levels are taken without keeping them: no scenario looks further."""
    return {}


def typed(handler: Handler, model: type[types.Result]) -> Handler:
    """Let the SDK's model fill in what a revision adds to a finished result: its type and caching hints."""

    async def handle(ctx: Context, params: Any) -> Any:
        result = await handler(ctx, params)
        return result if "resultType" in result else model.model_validate(result)

    return handle


def build() -> Server[Any]:
    server: Server[Any] = Server(
        "conformance-server",
        version="1.0.0",
        instructions="Offers what the conformance suite calls.",
        on_list_tools=typed(list_tools, types.ListToolsResult),
        on_call_tool=typed(call_tool, types.CallToolResult),
        on_list_prompts=typed(list_prompts, types.ListPromptsResult),
        on_get_prompt=typed(get_prompt, types.GetPromptResult),
        on_list_resources=typed(list_resources, types.ListResourcesResult),
        on_list_resource_templates=typed(list_templates, types.ListResourceTemplatesResult),
        on_read_resource=typed(read_resource, types.ReadResourceResult),
        on_subscribe_resource=accept,
        on_unsubscribe_resource=accept,
        on_completion=typed(complete, types.CompleteResult),
        on_subscriptions_listen=ListenHandler(bus),
    )
    server_tasks.install(server)
    server.add_request_handler("logging/setLevel", types.SetLevelRequestParams, accept)
    server.middleware.append(RequestStateBoundary(RequestStateSecurity.ephemeral(), default_audience="conformance-server"))
    return server


async def serve() -> None:
    server = build()
    announce = NotificationOptions(prompts_changed=True, resources_changed=True, tools_changed=True)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options(announce))


if __name__ == "__main__":
    # Logging, sampling and roots are deprecated and still in every revision the suite covers.
    warnings.simplefilter("ignore", MCPDeprecationWarning)
    asyncio.run(serve())
