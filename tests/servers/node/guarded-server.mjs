// A server that answers only the guard: the TypeScript SDK and the recipe of docs/sdk.md, which is what stands between the marks.
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { z } from "zod";

// recipe: begin
import { createHash, timingSafeEqual } from "node:crypto";

const secret = process.env.MCP_SHARED_SECRET;
delete process.env.MCP_SHARED_SECRET; // before any tool, or process that one starts, could look
if (!secret) {
  console.error("MCP_SHARED_SECRET is not set: start this server with stdioguard run, and server = true under [handshake]");
  process.exit(1);
}
const digest = (text) => createHash("sha256").update(text).digest(); // timingSafeEqual wants equal lengths
const expected = digest(secret);

/** A transport around a transport, which lets messages in from whoever has shown the secret. */
function requireGuard(inner) {
  let initialized = false;
  function admits({ method, id, params }) {
    const places = [[params?._meta, "io.stdioguard/token"]];
    if (method === "initialize") places.push([params?.clientInfo, "secret"]);
    const presented = [];
    for (const [place, key] of places) {
      if (!place || !Object.hasOwn(place, key)) continue;
      presented.push(place[key]);
      delete place[key]; // nor do tools see it here
    }
    const right = presented.every((given) => typeof given === "string" && timingSafeEqual(digest(given), expected));
    const proved = right && presented.length > 0;
    if (method === "initialize") initialized ||= proved;
    // A 2026-07-28 request stands for itself, and so does initialize.
    const alone = method === "initialize" || params?._meta?.["io.modelcontextprotocol/protocolVersion"] !== undefined;
    if (alone) return proved;
    return right && (initialized || (method === "notifications/cancelled" && id === undefined));
  }
  const outer = { start: () => inner.start(), send: (...sent) => inner.send(...sent), close: () => inner.close() };
  inner.onclose = () => outer.onclose?.();
  inner.onerror = (error) => outer.onerror?.(error);
  inner.onmessage = (message, extra) => {
    if (admits(message)) return outer.onmessage?.(message, extra);
    if (message.method === undefined || message.id === undefined) return; // what is no request has no answer
    const error = { code: -31001, message: "not authenticated", data: { code: -31001, rule: "handshake" } };
    inner.send({ jsonrpc: "2.0", id: message.id, error });
  };
  return outer;
}
// recipe: end

const server = new McpServer({ name: "guarded", version: "1.0.0" });
const text = (value) => ({ content: [{ type: "text", text: value }] });

server.registerTool("echo", { description: "Return the text.", inputSchema: { text: z.string() } }, ({ text: given }) => text(given));
server.registerTool("seen", { description: "Return all that a tool is handed of its call, its client and its process." }, (extra) =>
  text(JSON.stringify({ environment: process.env, meta: extra._meta, client: server.server.getClientVersion() })),
);

// recipe: begin
await server.connect(requireGuard(new StdioServerTransport()));
// recipe: end
