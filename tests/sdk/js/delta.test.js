// Fossil deltas and tag filters: the SDK decodes what the node encodes, and gets what it asked for.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Server } from "../server.mjs";
import { codecs, connected, eventually, newSubscription, Proxy, seeded, subscribed, unique } from "./support.js";

const count = 200;

let server;
before(async () => (server = await Server.start()));
after(() => server?.stop());

/** A document of which each version differs from the last in some places; text of one to four bytes a character. */
function versions(t) {
  const random = seeded(t);
  const words = ["taxi", "автобус", "→", "𝄞", '"quoted"', "line\nbreak", "京都"];
  const lines = Array.from({ length: 40 }, (_, line) => ({ line, state: words[line % words.length] }));
  let n = 0;
  return () => {
    n += 1;
    const change = random.below(4);
    const at = random.below(lines.length);
    if (change === 0) lines.unshift(...lines.splice(at));
    else lines[at] = { line: lines[at].line, state: words[random.below(words.length)], n };
    return { n, lines };
  };
}

for (const codec of codecs) {
  describe(codec.name, () => {
    for (const prefix of ["document:", "sketch:"]) {
      test(`decodes ${count} deltas of ${prefix}`, async (t) => {
        const next = versions(t);
        const channel = unique(prefix);
        const { client } = await connected(t, codec, server.url);
        const { sub, events } = await subscribed(client, channel, { delta: "fossil" });
        const sent = [];
        for (let n = 0; n < count; n += 1) {
          sent.push(JSON.stringify(next()));
          // Without it, only a namespace with delta_publish sends deltas.
          await server.publish(channel, JSON.parse(sent[n]), prefix === "document:" ? { delta: true } : {});
        }
        await events.until(() => events.of("publication").length === count, `${count} publications`);
        assert.deepEqual(events.of("publication").map(({ data }) => JSON.stringify(codec.decode(data))), sent);
        const { numFullPayloads, numDeltaPayloads, bytesReceived, bytesDecoded } = sub.deltaStats();
        assert.equal(numFullPayloads, 1);
        assert.equal(numDeltaPayloads, count - 1);
        assert.ok(bytesReceived < bytesDecoded / 5, `${bytesReceived} bytes of ${bytesDecoded}`);
      });
    }

    test("recovers over broken connections and goes on with deltas", async (t) => {
      const next = versions(t);
      const channel = unique("document:");
      const proxy = await Proxy.start(t, server.port);
      const { client, events: connection } = await connected(t, codec, proxy.url, { maxReconnectDelay: 20 });
      const { sub, events } = await subscribed(client, channel, { delta: "fossil" });
      const sent = [];
      const publish = async (delta) => {
        const version = next();
        sent.push(JSON.stringify(version));
        await server.publish(channel, version, { delta });
      };
      for (let n = 0; n < count; n += 1) {
        await publish(n % 7 !== 0);
        if (n % 20 === 19) {
          const known = connection.of("connected").length;
          proxy.cut();
          if (n % 40 === 19) await connection.until(() => connection.of("connected").length > known, "reconnect");
        }
      }
      const all = () => events.of("publication").length === sent.length;
      await events.until(all, `${count} publications`);
      // How many fell into a reconnect, and so came whole, is up to the clock: sooner or later one does not.
      const { numDeltaPayloads } = sub.deltaStats();
      const goesOn = async () => {
        await publish(true);
        await events.until(all, `${sent.length} publications`);
        return sub.deltaStats().numDeltaPayloads > numDeltaPayloads;
      };
      await eventually(goesOn, "a delta after the last reconnect");
      assert.deepEqual(events.of("publication").map(({ data }) => JSON.stringify(codec.decode(data))), sent);
      assert.ok(events.of("subscribed").slice(1).every(({ recovered }) => recovered));
    });

    test("gets deltas only where both sides want them", async (t) => {
      const { client } = await connected(t, codec, server.url);
      const cases = [
        { channel: unique("document:"), delta: undefined, publish: { delta: true }, expected: 0 },
        { channel: unique("document:"), delta: "fossil", publish: {}, expected: 0 },
        { channel: unique("stream:"), delta: "fossil", publish: { delta: true }, expected: 0 },
        { channel: unique("document:"), delta: "fossil", publish: { delta: true }, expected: 1 },
      ];
      for (const { channel, delta, publish, expected } of cases) {
        const { sub, events } = await subscribed(client, channel, { delta });
        const data = { text: "what stays the same ".repeat(10) };
        await server.publish(channel, { ...data, n: 1 }, publish);
        await server.publish(channel, { ...data, n: 2 }, publish);
        await events.until(() => events.of("publication").length === 2, "two publications");
        assert.deepEqual(events.of("publication").map(({ data }) => codec.decode(data).n), [1, 2]);
        assert.equal(sub.deltaStats().numDeltaPayloads, expected, channel);
      }
    });

    test("filters by tags, live and in recovery", async (t) => {
      const channel = unique("document:");
      const proxy = await Proxy.start(t, server.port);
      const { client, events: connection } = await connected(t, codec, proxy.url, { maxReconnectDelay: 20 });
      const tagsFilter = {
        op: "and",
        nodes: [{ key: "kind", cmp: "in", vals: ["taxi", "bike"] }, { op: "not", nodes: [{ key: "n", cmp: "lt", val: "3" }] }],
      };
      const { events } = await subscribed(client, channel, { tagsFilter });
      const kinds = ["taxi", "bus", "bike"];
      const expected = [];
      for (let n = 0; n < 60; n += 1) {
        const kind = kinds[n % 3];
        if (n === 20 || n === 40) {
          const known = connection.of("connected").length;
          proxy.refusing = n === 40;
          proxy.cut();
          if (n === 20) await connection.until(() => connection.of("connected").length > known, "reconnect");
        }
        await server.publish(channel, { n }, { tags: { kind, n: String(n) } });
        if (kind !== "bus" && n >= 3) expected.push(n);
      }
      proxy.refusing = false;
      await events.until(() => events.of("publication").length >= expected.length, `${expected.length} publications`);
      assert.deepEqual(events.of("publication").map(({ data }) => codec.decode(data).n), expected);
      assert.ok(events.of("subscribed").slice(1).every(({ recovered }) => recovered));
    });

    test("refuses a filter that is wrong or not allowed", async (t) => {
      const { client } = await connected(t, codec, server.url);
      for (const [prefix, cmp] of [["document:", "like"], ["stream:", "eq"]]) {
        const tagsFilter = { key: "kind", cmp, val: "taxi" };
        const { sub, events } = newSubscription(client, unique(prefix), { tagsFilter });
        sub.subscribe();
        assert.equal((await events.first("unsubscribed")).code, 107);
      }
    });
  });
}
