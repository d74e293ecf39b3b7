// Subscriptions that the server makes: by token, by the API, and each user's own channel.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Server, sign } from "../server.mjs";
import { codecs, connected, newClient, Proxy, subscribed, unique } from "./support.js";

let server;
before(async () => (server = await Server.start()));
after(() => server?.stop());

for (const codec of codecs) {
  describe(codec.name, () => {
    const on = (channel) => (event) => event.channel === channel;

    test("is subscribed to the channels of its token", async (t) => {
      const [one, two] = [unique("news"), unique("closed:")];
      const token = sign({ sub: unique("user"), channels: [one, two] });
      const { events } = await connected(t, codec, server.url, { token });
      for (const channel of [one, two]) {
        await events.first("subscribed", on(channel));
        await server.publish(channel, { channel });
        assert.deepEqual(codec.decode((await events.first("publication", on(channel))).data), { channel });
      }
    });

    test("is subscribed to the `subs` of its token, with their data", async (t) => {
      const channel = unique("room:");
      const token = sign({
        sub: unique("user"),
        subs: { [channel]: { info: { role: "guest" }, data: { welcome: true } } },
      });
      const { events, id } = await connected(t, codec, server.url, { token });
      assert.deepEqual(codec.decode((await events.first("subscribed", on(channel))).data), { welcome: true });
      const { presence } = await server.api("presence", { channel });
      assert.deepEqual(presence[id].chan_info, { role: "guest" });
    });

    test("is subscribed and unsubscribed by the API", async (t) => {
      const user = unique("user");
      const channel = unique("stream:");
      const { events } = await connected(t, codec, server.url, { token: sign({ sub: user }) });
      await server.api("subscribe", { user, channel });
      const { recoverable } = await events.first("subscribed", on(channel));
      assert.equal(recoverable, true);
      await server.publish(channel, "one");
      await events.first("publication", on(channel));
      await server.api("unsubscribe", { user, channel });
      await events.first("unsubscribed", on(channel));
      await server.publish(channel, "two");
      await server.publish(`#${user}`, "barrier");
      await events.first("publication", on(`#${user}`));
      assert.deepEqual(events.of("publication").filter(on(channel)).map(({ data }) => codec.decode(data)), ["one"]);
    });

    test("is unsubscribed from its own subscription by the API, for good", async (t) => {
      const user = unique("user");
      const channel = unique("news");
      const { client } = await connected(t, codec, server.url, { token: sign({ sub: user }) });
      const { events } = await subscribed(client, channel);
      await server.api("unsubscribe", { user, channel });
      assert.equal((await events.first("unsubscribed")).code, 2000);
      assert.equal(events.of("subscribing").length, 1);
    });

    test("every connection of a user hears the user's own channel, nobody else does", async (t) => {
      const user = unique("user");
      const one = await connected(t, codec, server.url, { token: sign({ sub: user }) });
      const two = await connected(t, codec, server.url, { token: sign({ sub: user }) });
      const otherUser = unique("user");
      const other = await connected(t, codec, server.url, { token: sign({ sub: otherUser }) });
      await server.publish(`#${user}`, "for you");
      await server.publish(`#${otherUser}`, "for the other");
      for (const { events } of [one, two]) {
        assert.equal(codec.decode((await events.first("publication", on(`#${user}`))).data), "for you");
      }
      await other.events.first("publication");
      assert.deepEqual(other.events.of("publication").map(({ data }) => codec.decode(data)), ["for the other"]);
    });

    test("recovers what it missed in a server-side subscription", async (t) => {
      const channel = unique("stream:");
      const proxy = await Proxy.start(t, server.port);
      const token = sign({ sub: unique("user"), channels: [channel] });
      const { client, events } = newClient(t, codec, proxy.url, { token });
      client.connect();
      await events.first("subscribed", on(channel));
      await server.publish(channel, 1);
      await events.first("publication", on(channel));
      proxy.refusing = true;
      proxy.cut();
      await events.until(() => events.of("connecting").length >= 2, "a reconnect");
      for (const n of [2, 3, 4]) await server.publish(channel, n);
      proxy.refusing = false;
      const again = () => events.of("subscribed").filter(on(channel))[1];
      await events.until(again, "the second subscribed event");
      assert.equal(again().recovered, true);
      await server.publish(channel, 5);
      const heard = () => events.of("publication").filter(on(channel)).map(({ data }) => codec.decode(data));
      await events.until(() => heard().length >= 5, "five publications");
      assert.deepEqual(heard(), [1, 2, 3, 4, 5]);
    });
  });
}
