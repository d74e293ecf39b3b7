// Connecting: tokens and their refresh, anonymous users, pings, slow starts, the node's goodbyes.

import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { after, before, describe, test } from "node:test";
import WebSocket from "ws";
import { Server, secondsFromNow, sign } from "../server.mjs";
import { codecs, codeOf, connected, eventually, newClient, newSubscription, Proxy, subscribed, unique } from "./support.js";

let server;
before(async () => (server = await Server.start()));
after(() => server?.stop());

for (const codec of codecs) {
  describe(codec.name, () => {
    test("connects with a token and gets a client id of its own", async (t) => {
      const one = await connected(t, codec, server.url);
      const two = await connected(t, codec, server.url);
      assert.match(one.id, /^[0-9a-f-]{36}$/);
      assert.notEqual(one.id, two.id);
    });

    test("keeps the connection while short-lived tokens are refreshed", async (t) => {
      const user = unique("user");
      let asked = 0;
      const freshToken = async () => {
        asked += 1;
        return sign({ sub: user, exp: secondsFromNow(2) });
      };
      const { events } = await connected(t, codec, server.url, { token: "", getToken: freshToken });
      await eventually(() => asked >= 4, "the token refreshed three times");
      assert.equal(events.of("connected").length, 1);
      assert.equal(events.of("connecting").length, 1);
      assert.deepEqual(events.of("error"), []);
    });

    test("gets a new token when the one it has is expired", async (t) => {
      const user = unique("user");
      const { client, events } = newClient(t, codec, server.url, {
        token: sign({ sub: user, exp: secondsFromNow(-60) }),
        getToken: async () => sign({ sub: user, exp: secondsFromNow(600) }),
      });
      client.connect();
      await events.first("connected");
      assert.deepEqual(events.of("error").map(({ error }) => error.code), [109]);
    });

    test("is told 109 for an expired token and gives up without another", async (t) => {
      const { client, events } = newClient(t, codec, server.url, { token: sign({ sub: "u", exp: secondsFromNow(-60) }) });
      client.connect();
      const { code } = await events.first("disconnected");
      assert.equal(events.of("error")[0].error.code, 109);
      assert.equal(code, 1, "unauthorized, as the SDK numbers it");
      assert.deepEqual(events.of("connected"), []);
    });

    const [header, payload, signature] = sign({ sub: "u" }).split(".");
    const unsigned = Buffer.from(JSON.stringify({ alg: "none", typ: "JWT" })).toString("base64url");
    const forged = {
      "another key": sign({ sub: "u" }, "the key of somebody else, who is not us"),
      "a changed payload": `${header}.${Buffer.from('{"sub":"admin"}').toString("base64url")}.${signature}`,
      "no algorithm": `${unsigned}.${payload}.`,
      "no token's form": "this is no token",
    };
    for (const [what, token] of Object.entries(forged)) {
      test(`is disconnected with 3500 for a token with ${what}`, async (t) => {
        const { client, events } = newClient(t, codec, server.url, { token });
        client.connect();
        const { code } = await events.first("disconnected");
        assert.equal(code, 3500);
      });
    }

    test("is disconnected with 3500 without a token", async (t) => {
      const { client, events } = newClient(t, codec, server.url, { token: "" });
      client.connect();
      const { code } = await events.first("disconnected");
      assert.equal(code, 3500);
    });

    test("sends messages that nobody answers and stays connected", async (t) => {
      const { client, events } = await connected(t, codec, server.url);
      await client.send(codec.encode({ hello: "node" }));
      assert.equal(await codeOf(client.rpc("no.such.method", codec.encode({}))), 108);
      assert.equal(events.of("connecting").length, 1);
    });

    test("hears the code and reason with which the API disconnects it", async (t) => {
      const user = unique("user");
      const { events } = await connected(t, codec, server.url, { token: sign({ sub: user }) });
      await server.api("disconnect", { user, disconnect: { code: 4501, reason: "banned" } });
      const { code, reason } = await events.first("disconnected");
      assert.deepEqual({ code, reason }, { code: 4501, reason: "banned" });
    });

    test("does not come back when the API disconnects it without a code", async (t) => {
      const user = unique("user");
      const { events } = await connected(t, codec, server.url, { token: sign({ sub: user }) });
      await server.api("disconnect", { user });
      assert.equal((await events.first("disconnected")).code, 3503);
    });

    test("reconnects when the API disconnects it with a code below 3500", async (t) => {
      const user = unique("user");
      const { events } = await connected(t, codec, server.url, { token: sign({ sub: user }) });
      await server.api("disconnect", { user, disconnect: { code: 3011, reason: "move on" } });
      await events.until(() => events.of("connected").length === 2, "second connection");
      assert.equal(events.of("connecting")[1].code, 3011);
    });

    test("connects when the node starts after it", async (t) => {
      const http = `127.0.0.1:${await freePort()}`;
      const { client, events } = newClient(t, codec, `ws://${http}/connection/websocket`);
      client.connect();
      await events.first("error");
      const late = await Server.start({ http });
      t.after(() => late.stop());
      await events.first("connected");
    });
  });
}

describe("with anonymous users", () => {
  let open;
  before(async () => {
    open = await Server.start({ env: { NEARCAST_CLIENT__ALLOW_ANONYMOUS_CONNECT_WITHOUT_TOKEN: "true" } });
  });
  after(() => open?.stop());

  for (const codec of codecs) {
    test(`${codec.name}: connects without a token and subscribes where anyone may`, async (t) => {
      const { client } = await connected(t, codec, open.url, { token: "" });
      const { events } = await subscribed(client, unique("anyone:"));
      assert.equal(events.of("subscribed").length, 1);
      const refused = newSubscription(client, unique("for_known_users"));
      refused.sub.subscribe();
      assert.equal((await refused.events.first("unsubscribed")).code, 103);
    });
  }
});

describe("with short pings", () => {
  let pinging;
  before(async () => {
    const env = { NEARCAST_CLIENT__PING_INTERVAL: "1s", NEARCAST_CLIENT__PONG_TIMEOUT: "500ms" };
    pinging = await Server.start({ env });
  });
  after(() => pinging?.stop());

  for (const codec of codecs) {
    test(`${codec.name}: answers pings and stays connected`, async (t) => {
      let pings = 0;
      class Counting extends WebSocket {
        constructor(...args) {
          super(...args);
          const ping = codec.name === "json" ? "{}" : "\0";
          this.on("message", (data) => (pings += Buffer.from(data).toString() === ping ? 1 : 0));
        }
      }
      const { events } = await connected(t, codec, pinging.url, { websocket: Counting });
      await eventually(() => pings >= 4, "four pings");
      assert.equal(events.of("connecting").length, 1);
    });

    test(`${codec.name}: is disconnected with 3012 when it does not answer`, async (t) => {
      class Mute extends WebSocket {
        send(data) {
          if (data.length > 2) super.send(data); // a pong is an empty command
        }
      }
      const { events } = await connected(t, codec, pinging.url, { websocket: Mute });
      await events.until(() => events.of("connecting").length >= 2, "a reconnect");
      assert.equal(events.of("connecting")[1].code, 3012);
    });

    test(`${codec.name}: notices a link that has died silently, and so does the node`, async (t) => {
      const proxy = await Proxy.start(t, pinging.port);
      const channel = unique("room:");
      const { client, events } = await connected(t, codec, proxy.url, { maxServerPingDelay: 500, timeout: 1_000 });
      await subscribed(client, channel);
      proxy.freeze();
      await events.until(() => events.of("connecting").length >= 2, "a reconnect");
      assert.equal(events.of("connecting")[1].code, 2, "no ping, as the SDK numbers it");
      const present = async () => (await pinging.api("presence_stats", { channel })).num_clients;
      await eventually(async () => (await present()) === 0, "the dead session gone from presence");
      proxy.thaw();
      await events.until(() => events.of("connected").length >= 2, "second connection");
      await eventually(async () => (await present()) === 1, "the new session present");
    });
  }
});

async function freePort() {
  const probe = net.createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
