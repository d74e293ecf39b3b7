// Subscriptions: publications of all shapes, presence, joins, history, subscription tokens, refusals.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Server, secondsFromNow, sign } from "../server.mjs";
import { codecs, codeOf, connected, eventually, newSubscription, subscribed, unique } from "./support.js";

let server;
before(async () => (server = await Server.start()));
after(() => server?.stop());

const byteCount = (value) => Buffer.byteLength(JSON.stringify(value));
const values = {
  "an object": { text: "hello", list: [1, 2.5, -3e10, null, true, false], deep: { er: {} } },
  "unicode": { text: "é€😀 \u0000\u2028\u2029 \"\\/\n\t עברית العربية 中文", "ключ": "значение" },
  "a bare string": "just text",
  "a number": 42,
  "60 KB": { text: "x".repeat(60 * 1024) },
  "60 KB of emoji": { text: "😀".repeat(15 * 1024) },
};

for (const codec of codecs) {
  describe(codec.name, () => {
    const published = (events) => events.of("publication").map(({ data }) => codec.decode(data));

    for (const [what, value] of Object.entries(values)) {
      test(`receives ${what} as the API published it`, async (t) => {
        const { client } = await connected(t, codec, server.url);
        const channel = unique("news");
        const { events } = await subscribed(client, channel);
        await server.publish(channel, value);
        await events.first("publication");
        assert.deepEqual(published(events), [value]);
      });
    }

    test("receives JSON intact that was published with line breaks in it", async (t) => {
      const { client } = await connected(t, codec, server.url);
      const channel = unique("news");
      const { events } = await subscribed(client, channel);
      const value = { lines: ["a\nb", "\r\n"], nested: { a: [1, { b: 2 }] } };
      for (const indent of [2, "\t"]) {
        const { body } = await server.apiRaw("publish", JSON.stringify({ channel, data: value }, null, indent));
        assert.equal(body.error, undefined);
      }
      const windows = `{\r\n"channel": ${JSON.stringify(channel)},\r\n"data":\r\n{"a":\r\n 1}\r\n}`;
      await server.apiRaw("publish", windows);
      await events.until(() => events.of("publication").length === 3, "three publications");
      assert.deepEqual(published(events), [value, value, { a: 1 }]);
    });

    test("receives tags", async (t) => {
      const { client } = await connected(t, codec, server.url);
      const channel = unique("news");
      const { events } = await subscribed(client, channel);
      await server.publish(channel, {}, { tags: { kind: "storm", level: "3" } });
      assert.deepEqual({ ...(await events.first("publication")).tags }, { kind: "storm", level: "3" });
    });

    test("receives only what its tag filter lets through", async (t) => {
      const { client } = await connected(t, codec, server.url);
      const channel = unique("tagged:");
      const { events } = await subscribed(client, channel, { tagsFilter: { key: "level", cmp: "gte", val: "3" } });
      for (const level of ["1", "3", "x", "2", "10"]) await server.publish(channel, level, { tags: { level } });
      await server.publish(channel, "no tags");
      await server.publish(channel, "end", { tags: { level: "99" } });
      await events.first("publication", ({ data }) => codec.decode(data) === "end");
      assert.deepEqual(published(events), ["3", "10", "end"]);
    });

    test("publishes, and everyone hears who it was, the publisher too", async (t) => {
      const user = unique("user");
      const token = sign({ sub: user, info: { name: "Ada" } });
      const publisher = await connected(t, codec, server.url, { token });
      const listener = await connected(t, codec, server.url);
      const channel = unique("room:");
      const mine = await subscribed(publisher.client, channel);
      const theirs = await subscribed(listener.client, channel);
      const value = { text: "x".repeat(60 * 1024) };
      assert.ok(byteCount(value) < 65_000);
      await mine.sub.publish(codec.encode(value));
      for (const { events } of [mine, theirs]) {
        const { info } = await events.first("publication");
        assert.deepEqual(published(events), [value]);
        assert.equal(info.client, publisher.id);
        assert.equal(info.user, user);
        assert.deepEqual(codec.decode(info.connInfo), { name: "Ada" });
      }
    });

    test("sees who is present", async (t) => {
      const user = unique("user");
      const channel = unique("room:");
      const token = sign({ sub: user, info: { name: "Ada" } });
      const channelToken = sign({ sub: user, channel, info: { role: "host" } });
      const one = await connected(t, codec, server.url, { token });
      const two = await connected(t, codec, server.url, { token });
      const { sub } = await subscribed(one.client, channel, { token: channelToken });
      const other = await subscribed(two.client, channel);
      const { clients } = await sub.presence();
      assert.deepEqual(Object.keys(clients).sort(), [one.id, two.id].sort());
      assert.equal(clients[one.id].user, user);
      assert.equal(clients[one.id].client, one.id);
      assert.deepEqual(codec.decode(clients[one.id].connInfo), { name: "Ada" });
      assert.deepEqual(codec.decode(clients[one.id].chanInfo), { role: "host" });
      assert.deepEqual({ ...(await sub.presenceStats()) }, { numClients: 2, numUsers: 1 });

      other.sub.unsubscribe();
      await eventually(async () => (await sub.presenceStats()).numClients === 1, "one client left");
      const { presence } = await server.api("presence", { channel });
      assert.deepEqual(Object.keys(presence), [one.id]);
    });

    test("hears others join and leave, whether they unsubscribe or vanish", async (t) => {
      const channel = unique("room:");
      const { client } = await connected(t, codec, server.url);
      const { events } = await subscribed(client, channel);
      for (const leave of ["unsubscribe", "disconnect"]) {
        const user = unique("guest");
        const guest = await connected(t, codec, server.url, { token: sign({ sub: user }) });
        const { sub } = await subscribed(guest.client, channel);
        const isGuest = ({ info }) => info.client === guest.id;
        assert.equal((await events.first("join", isGuest)).info.user, user);
        assert.ok(!events.of("leave").some(isGuest));
        if (leave === "unsubscribe") sub.unsubscribe();
        else guest.client.disconnect();
        assert.equal((await events.first("leave", isGuest)).info.user, user);
      }
    });

    test("reads history from every side", async (t) => {
      const channel = unique("stream:");
      for (let n = 1; n <= 10; n += 1) await server.publish(channel, { n });
      const { client } = await connected(t, codec, server.url);
      const { sub, events } = await subscribed(client, channel);
      const epoch = (await events.first("subscribed")).streamPosition.epoch;
      const read = async (options) => {
        const history = await sub.history(options);
        assert.equal(Number(history.offset), 10);
        assert.equal(history.epoch, epoch);
        return history.publications.map(({ offset, data }) => {
          assert.equal(codec.decode(data).n, Number(offset));
          return Number(offset);
        });
      };
      assert.deepEqual(await read({}), []);
      assert.deepEqual(await read({ limit: 3 }), [1, 2, 3]);
      assert.deepEqual(await read({ limit: -1 }), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
      assert.deepEqual(await read({ limit: 3, since: { offset: 4, epoch } }), [5, 6, 7]);
      assert.deepEqual(await read({ limit: 3, since: { offset: 9, epoch } }), [10]);
      assert.deepEqual(await read({ limit: 3, since: { offset: 10, epoch } }), []);
      assert.deepEqual(await read({ limit: 3, reverse: true }), [10, 9, 8]);
      assert.deepEqual(await read({ limit: -1, since: { offset: 4, epoch }, reverse: true }), [3, 2, 1]);
      assert.equal(await codeOf(sub.history({ limit: 1, since: { offset: 4, epoch: "another" } })), 112);
    });

    test("starts where an application saw the stream, with `since`", async (t) => {
      const channel = unique("stream:");
      const { epoch } = await server.publish(channel, { n: 1 });
      for (let n = 2; n <= 5; n += 1) await server.publish(channel, { n });
      const { client } = await connected(t, codec, server.url);
      const { events } = await subscribed(client, channel, { since: { offset: 2, epoch } });
      await events.until(() => events.of("publication").length === 3, "three publications");
      const { wasRecovering, recovered } = await events.first("subscribed");
      assert.deepEqual({ wasRecovering, recovered }, { wasRecovering: true, recovered: true });
      assert.deepEqual(published(events), [{ n: 3 }, { n: 4 }, { n: 5 }]);
    });

    test("subscribes with a token where nothing else is allowed, and refreshes it", async (t) => {
      const user = unique("user");
      const channel = unique("closed:");
      const { client } = await connected(t, codec, server.url, { token: sign({ sub: user }) });
      let asked = 0;
      const getToken = async (context) => {
        asked += 1;
        assert.equal(context.channel, channel);
        return sign({ sub: user, channel, exp: secondsFromNow(2) });
      };
      const { events } = await subscribed(client, channel, { getToken });
      await eventually(() => asked >= 4, "the subscription refreshed three times");
      await server.publish(channel, "still here");
      await events.first("publication");
      assert.equal(events.of("subscribing").length, 1);
      assert.deepEqual(events.of("error"), []);
    });

    test("gets a new subscription token when the one it has is expired", async (t) => {
      const user = unique("user");
      const channel = unique("closed:");
      const { client } = await connected(t, codec, server.url, { token: sign({ sub: user }) });
      const { events } = await subscribed(client, channel, {
        token: sign({ sub: user, channel, exp: secondsFromNow(-60) }),
        getToken: async () => sign({ sub: user, channel, exp: secondsFromNow(600) }),
      });
      assert.deepEqual(events.of("error").map(({ error }) => error.code), [109]);
    });

    test("is unsubscribed with 103 for a subscription token of another key", async (t) => {
      const user = unique("user");
      const channel = unique("closed:");
      const { client, events: connection } = await connected(t, codec, server.url, { token: sign({ sub: user }) });
      const { sub, events } = newSubscription(client, channel, { token: sign({ sub: user, channel }, "other key") });
      sub.subscribe();
      assert.equal((await events.first("unsubscribed")).code, 103);
      assert.equal(connection.of("connecting").length, 1);
    });

    for (const [what, claims] of Object.entries({
      user: (user, channel) => ({ sub: `not_${user}`, channel }),
      channel: (user, channel) => ({ sub: user, channel: `${channel}_other` }),
    })) {
      test(`is disconnected with 3500 for a subscription token of another ${what}`, async (t) => {
        const user = unique("user");
        const channel = unique("closed:");
        const { client, events } = await connected(t, codec, server.url, { token: sign({ sub: user }) });
        newSubscription(client, channel, { token: sign(claims(user, channel)) }).sub.subscribe();
        assert.equal((await events.first("disconnected")).code, 3500);
      });
    }

    const refused = {
      "102 for an unknown namespace": ["nowhere:x", 102],
      "103 where a token is needed": ["closed:x", 103],
      "107 for a name of 256 bytes": ["x".repeat(256), 107],
      "107 for a name beyond ASCII": ["zürich", 107],
      "107 for a name with a line break": ["a\nb", 107],
    };
    for (const [what, [channel, code]] of Object.entries(refused)) {
      test(`is refused with ${what}`, async (t) => {
        const { client, events: connection } = await connected(t, codec, server.url);
        const { sub, events } = newSubscription(client, channel);
        sub.subscribe();
        assert.equal((await events.first("unsubscribed")).code, code);
        assert.equal(connection.of("connecting").length, 1);
      });
    }

    test("is refused with 107 for a filter where filters are not allowed", async (t) => {
      const { client } = await connected(t, codec, server.url);
      const { sub, events } = newSubscription(client, unique("news"), { tagsFilter: { key: "a", cmp: "ex" } });
      sub.subscribe();
      assert.equal((await events.first("unsubscribed")).code, 107);
    });

    test("is refused with 105 where the server has subscribed it already", async (t) => {
      const channel = unique("news");
      const token = sign({ sub: unique("user"), channels: [channel] });
      const { client } = await connected(t, codec, server.url, { token });
      const { sub, events } = newSubscription(client, channel);
      sub.subscribe();
      assert.equal((await events.first("unsubscribed")).code, 105);
    });

    test("calls are refused with the code that says why", async (t) => {
      const { client } = await connected(t, codec, server.url);
      const { sub } = await subscribed(client, unique("news"));
      const stream = await subscribed(client, unique("stream:"));
      assert.equal(await codeOf(sub.publish(codec.encode({}))), 103);
      assert.equal(await codeOf(sub.presence()), 108);
      assert.equal(await codeOf(sub.presenceStats()), 108);
      assert.equal(await codeOf(sub.history({ limit: 1 })), 108);
      assert.equal(await codeOf(stream.sub.presence()), 108);
      assert.equal(await codeOf(client.presence("nowhere:x")), 102);
      assert.equal(await codeOf(client.publish("nowhere:x", codec.encode({}))), 102);
      assert.equal(await codeOf(client.publish(unique("room:"), codec.encode({}))), 103);
      assert.equal(await codeOf(client.presence(unique("room:"))), 103);
      assert.equal(await codeOf(client.rpc("no.such.method", codec.encode({ a: 1 }))), 108);
    });

    test("holds 128 subscriptions and is refused the next with 106", async (t) => {
      const { client, events: connection } = await connected(t, codec, server.url);
      const all = Array.from({ length: 129 }, () => newSubscription(client, unique("news")));
      client.startBatching();
      for (const { sub } of all) sub.subscribe();
      client.stopBatching();
      const last = all.pop();
      assert.equal((await last.events.first("unsubscribed")).code, 106);
      for (const { events } of all) await events.first("subscribed");
      await server.api("broadcast", { channels: all.map(({ sub }) => sub.channel), data: "to all" });
      for (const { events } of all) await events.first("publication");

      all[0].sub.unsubscribe();
      last.sub.subscribe();
      await last.events.first("subscribed");
      assert.equal(connection.of("connecting").length, 1);
    });

    test("can unsubscribe while it connects, and subscribe again", async (t) => {
      const channel = unique("room:");
      const { client, events: connection } = await connected(t, codec, server.url);
      client.disconnect();
      const { sub, events } = newSubscription(client, channel);
      client.connect();
      sub.subscribe();
      sub.unsubscribe();
      await connection.until(() => connection.of("connected").length === 2, "second connection");
      assert.equal(await codeOf(client.rpc("barrier", codec.encode({}))), 108);
      assert.equal((await server.api("presence_stats", { channel })).num_clients, 0);
      await server.publish(channel, "unheard");
      sub.subscribe();
      await events.first("subscribed");
      await server.publish(channel, "heard");
      await events.first("publication");
      assert.deepEqual(published(events), ["heard"]);
    });

    test("hears nothing after it has unsubscribed", async (t) => {
      const channel = unique("room:");
      const { client } = await connected(t, codec, server.url);
      const { sub, events } = await subscribed(client, channel);
      sub.unsubscribe();
      await eventually(async () => (await server.api("presence_stats", { channel })).num_clients === 0, "gone");
      await server.publish(channel, "unheard");
      assert.equal(await codeOf(client.rpc("barrier", codec.encode({}))), 108);
      assert.deepEqual(published(events), []);
    });

    test("50 clients hear the same 40 publications in the same order", async (t) => {
      const channel = unique("room:");
      const everyone = await Promise.all(Array.from({ length: 50 }, () => connected(t, codec, server.url)));
      const all = await Promise.all(everyone.map(({ client }) => subscribed(client, channel)));
      const expected = Array.from({ length: 40 }, (_, n) => ({ n }));
      for (const value of expected) await server.publish(channel, value);
      for (const { events } of all) {
        await events.until(() => events.of("publication").length >= 40, "40 publications");
        assert.deepEqual(published(events), expected);
      }
    });
  });
}

test("the two codecs hear each other", async (t) => {
  const channel = unique("room:");
  const all = [];
  for (const codec of codecs) {
    const { client } = await connected(t, codec, server.url);
    all.push({ codec, ...(await subscribed(client, channel)) });
  }
  for (const { codec, sub } of all) await sub.publish(codec.encode({ from: codec.name, text: "é😀\n" }));
  for (const { codec, events } of all) {
    await events.until(() => events.of("publication").length === 2, "two publications");
    assert.deepEqual(
      events.of("publication").map(({ data }) => codec.decode(data)),
      codecs.map(({ name }) => ({ from: name, text: "é😀\n" })),
    );
  }
});

test("a Protobuf client cannot publish what JSON clients could not read", async (t) => {
  const channel = unique("room:");
  const { client } = await connected(t, codecs[1], server.url);
  const { sub } = await subscribed(client, channel);
  for (const bytes of [[0xff, 0xfe], [...Buffer.from('{"a":')], []]) {
    assert.equal(await codeOf(sub.publish(Uint8Array.from(bytes))), 107);
  }
});

test("the API refuses strangers, unknown methods and unknown namespaces", async () => {
  const text = JSON.stringify({ channel: "news", data: {} });
  assert.equal((await server.apiRaw("publish", text, { "X-API-Key": "wrong" })).status, 401);
  assert.equal((await server.apiRaw("no_such_method", "{}")).status, 404);
  assert.equal((await server.apiRaw("publish", "{")).body.error.code, 107);
  assert.equal(await codeOf(server.publish("nowhere:x", {})), 102);
  assert.equal(await codeOf(server.publish("", {})), 107);
});
