// Clients that tell where their own object is, each in another way.

import { sign } from "../../server.mjs";
import { codecs, connected } from "../support.js";
import { call } from "./crowd.js";

const ways = {
  publish: ({ client, codec }, channel, { data, ...fix }) => client.publish(channel, codec.encode({ ...fix, ...data })),
  rpc: (person, channel, fix) => call(person, "geo.position", { channel, ...fix }),
  // Nobody answers that; what the same client asks next is carried out behind it.
  async send(person, channel, fix) {
    await person.client.send(person.codec.encode({ channel, ...fix }));
    await call(person, "geo.position", { lat: fix.lat, lng: fix.lng });
  },
};

/** By the id of the object: a function that sends a fix and returns when it has had its turn. */
export async function ownersOf(t, server, channel, ids) {
  const names = Object.keys(ways);
  return new Map(await Promise.all(ids.map(async (id, n) => {
    const codec = codecs[n % 2];
    const { client } = await connected(t, codec, server.url, { token: sign({ sub: id }) });
    const way = ways[names[n % names.length]];
    return [id, (fix) => way({ client, codec }, channel, fix)];
  })));
}
