// The way of the terminal: `curl` publishes, `nearcast sub` shows it.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { apiKey, binary, readLines, Server, sign } from "../server.mjs";
import { eventually, unique } from "./support.js";

let server;
before(async () => (server = await Server.start()));
after(() => server?.stop());

test("curl publishes and nearcast sub prints one line of JSON for each publication", async (t) => {
  const channel = unique("room:");
  const token = sign({ sub: unique("user") });
  const sub = spawn(binary, ["sub", "--url", server.url, "--token", token, "--json", channel], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  t.after(() => sub.kill());
  const [lines, complaints] = [[], []];
  readLines(sub.stdout, (line) => lines.push(JSON.parse(line)));
  readLines(sub.stderr, (line) => complaints.push(line));
  const alive = () => assert.equal(sub.exitCode, null, `nearcast sub ended:\n${complaints.join("\n")}`);
  await eventually(async () => {
    alive();
    return (await server.api("presence_stats", { channel })).num_clients === 1;
  }, "nearcast sub subscribed");

  const values = [{ text: "première", n: 1 }, "two\nlines", [3]];
  for (const data of values) {
    const { stdout } = await promisify(execFile)("curl", [
      "--silent", "--show-error", "--fail",
      "--header", `X-API-Key: ${apiKey}`,
      "--header", "Content-Type: application/json",
      "--data", JSON.stringify({ channel, data }, null, 2),
      `http://${server.http}/api/publish`,
    ]);
    assert.ok(JSON.parse(stdout).result, stdout);
  }
  const printed = () => lines.filter((line) => "data" in line).map(({ data }) => data);
  await eventually(() => alive() ?? printed().length === values.length, "three lines");
  assert.deepEqual(printed(), values);
});
