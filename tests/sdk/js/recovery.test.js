// Recovery: what a client that loses its connection at any byte gets when it is back.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { long, Server } from "../server.mjs";
import { codecs, connected, eventually, Proxy, seeded, subscribed, unique } from "./support.js";

const count = long ? 10_000 : 1_000;
const cuts = long ? 200 : 20;
const hasty = { minReconnectDelay: 1, maxReconnectDelay: 20 };

let server;
before(async () => (server = await Server.start()));
after(() => server?.stop());

/**
 * Walks all that the subscription saw: each publication is the one after the last, unless the SDK was told
 * `recovered: false` and a new position before it. Returns how often each of the two happened.
 */
function audit(codec, events) {
  let last = 0;
  let epoch;
  const seen = { recovered: 0, lost: 0 };
  for (const event of events.list) {
    if (event.kind === "subscribed") {
      assert.equal(event.recoverable, true);
      epoch ??= event.streamPosition.epoch;
      assert.equal(event.streamPosition.epoch, epoch, "the stream is the same all along");
      if (event.wasRecovering && event.recovered) {
        seen.recovered += 1;
      } else {
        const top = Number(event.streamPosition.offset);
        assert.ok(top >= last, `a stream does not run backwards: ${top} after ${last}`);
        if (event.wasRecovering) {
          seen.lost += 1;
          assert.ok(top > last, `nothing was missed at ${last}, so it is recovered`);
        }
        last = top;
      }
    } else if (event.kind === "publication") {
      assert.equal(Number(event.offset), last + 1, `offset ${event.offset} after ${last}`);
      assert.equal(codec.decode(event.data).n, Number(event.offset), "the data belongs to the offset");
      last += 1;
    }
  }
  return { last, ...seen };
}

for (const codec of codecs) {
  describe(codec.name, () => {
    test(`misses none of ${count} publications over ${cuts} broken connections`, async (t) => {
      const random = seeded(t);
      const channel = unique("stream:");
      const proxy = await Proxy.start(t, server.port);
      const { client, events: connection } = await connected(t, codec, proxy.url, hasty);
      const { events } = await subscribed(client, channel);
      for (let n = 1; n <= count; n += 1) {
        await server.publish(channel, { n, text: "x".repeat(random.below(300)) });
        if (n % (count / cuts) !== 0) continue;
        if (random.below(2) === 0) {
          const before = connection.of("connected").length;
          proxy.cut();
          await connection.until(() => connection.of("connected").length > before, "reconnect");
        } else {
          proxy.cutAfter(1 + random.below(2_000)); // the client comes back while more is published
        }
      }
      proxy.cutAfter(Infinity);
      await events.until(() => Number(events.of("publication").at(-1)?.offset) === count, `publication ${count}`);
      const { last, recovered, lost } = audit(codec, events);
      assert.equal(last, count);
      assert.equal(lost, 0);
      assert.equal(events.of("publication").length, count);
      assert.ok(recovered >= cuts / 4, `only ${recovered} connections were cut`);
    });

    test("says so before the next publication when history no longer reaches back", async (t) => {
      const random = seeded(t);
      const channel = unique("short:");
      const proxy = await Proxy.start(t, server.port);
      const { client } = await connected(t, codec, proxy.url, hasty);
      const { events } = await subscribed(client, channel);
      let n = 0;
      const publish = async (times) => {
        for (let end = n + times; n < end; ) await server.publish(channel, { n: (n += 1) });
      };
      for (let round = 0; round < cuts; round += 1) {
        await publish(1 + random.below(40));
        const heard = () => audit(codec, events).last === n;
        await events.until(heard, `publication ${n}`);
        const known = events.of("subscribing").length;
        proxy.refusing = true;
        proxy.cut();
        await events.until(() => events.of("subscribing").length > known, "lost subscription");
        // History holds 10: up to 10 missed are recovered, more are not.
        const missed = round % 2 === 0 ? random.below(11) : 11 + random.below(30);
        await publish(missed);
        proxy.refusing = false;
        const subscribedBefore = events.of("subscribed").length;
        if (random.below(2) === 0) {
          await events.until(() => events.of("subscribed").length > subscribedBefore, "new subscription");
          assert.equal(events.of("subscribed").at(-1).recovered, missed <= 10, `missed ${missed}`);
        }
      }
      await publish(1);
      await events.until(() => audit(codec, events).last === n, `publication ${n}`);
      const { recovered, lost } = audit(codec, events);
      assert.ok(recovered > 0 && lost > 0, `recovered ${recovered}, lost ${lost}`);
    });

    test("is told that nothing is recovered by a node that restarted", async (t) => {
      let node = await Server.start();
      const { http } = node;
      t.after(() => node.stop());
      const channel = unique("stream:");
      const { client, events: connection } = await connected(t, codec, node.url);
      const { events } = await subscribed(client, channel);
      await node.publish(channel, { n: 1 });
      await node.publish(channel, { n: 2 });
      await events.until(() => events.of("publication").length === 2, "two publications");

      await node.stop();
      await connection.until(() => connection.of("connecting").length >= 2, "drained connection");
      assert.equal(connection.of("connecting")[1].code, 3001);
      node = await Server.start({ http });
      await events.until(() => events.of("subscribed").length === 2, "second subscription");
      await node.publish(channel, { n: 3 });
      await events.until(() => events.of("publication").length === 3, "third publication");

      const [first, second] = events.of("subscribed");
      assert.notEqual(second.streamPosition.epoch, first.streamPosition.epoch);
      assert.equal(second.wasRecovering, true);
      assert.equal(second.recovered, false);
      const order = events.list.map(({ kind }) => kind);
      assert.ok(order.lastIndexOf("subscribed") < order.lastIndexOf("publication"));
      assert.equal(Number(events.of("publication")[2].offset), 1, "a new stream starts at 1");
    });

    test("drains many clients, and all come back", async (t) => {
      let node = await Server.start();
      const { http } = node;
      t.after(() => node.stop());
      const channel = unique("room:");
      const all = await Promise.all(Array.from({ length: 20 }, () => connected(t, codec, node.url)));
      await Promise.all(all.map(({ client }) => subscribed(client, channel)));
      await node.stop();
      node = await Server.start({ http });
      const present = async () => (await node.api("presence_stats", { channel })).num_clients;
      await eventually(async () => (await present()) === all.length, "all present again");
      for (const { events } of all) {
        assert.deepEqual(events.of("disconnected"), []);
        assert.equal(events.of("connecting")[1].code, 3001);
      }
    });
  });
}
