// Many connections of the released SDK, each with several subscriptions under labels, and what they were told.

import { codecs, connected, Proxy } from "../support.js";

/** What one subscription heard since each subscribe reply, or since each time that it had all of a map. */
class Heard {
  segments = [];
  failed = [];

  constructor(person, channel) {
    Object.assign(this, { person, channel });
  }

  get last() {
    return this.segments.at(-1);
  }

  get count() {
    return this.segments.reduce((sum, { told }) => sum + told.length, 0);
  }

  begin(context) {
    this.segments.push({ context, told: [] });
  }

  hear(told) {
    this.last.told.push(this.person.same(told));
  }
}

export class Listener extends Heard {
  /** Where it is written what comes: its own, until its area is moved. */
  #heard = this;

  constructor(person, channel, area) {
    super(person, channel);
    const { codec, client } = person;
    const options = {
      minResubscribeDelay: 20, maxResubscribeDelay: 200,
      ...(area.data ? { data: codec.encode(area.data) } : {}),
      ...(area.tagsFilter ? { tagsFilter: area.tagsFilter } : {}),
    };
    if (area.isMap) {
      this.sub = client.newMapSubscription(channel, options);
      this.sub.on("sync", ({ entries }) => this.#heard.begin({ data: { objects: entries.map((entry) => this.#keyed(entry)) } }));
      this.sub.on("update", (update) => this.#heard.hear({ ...this.#keyed(update), event: update.removed ? "exit" : "set" }));
    } else {
      this.sub = client.newSubscription(channel, options);
      this.sub.on("subscribed", (context) => {
        const data = context.data?.length === 0 ? undefined : codec.decode(context.data);
        this.#heard.begin({ ...context, data });
      });
      this.sub.on("publication", ({ data, offset }) => this.#heard.hear({ ...codec.decode(data), offset }));
    }
    this.sub.on("unsubscribed", ({ code, reason }) => this.#heard.failed.push(`unsubscribed: ${code} ${reason}`));
    this.sub.on("error", ({ error }) => this.#heard.failed.push(`${error.code} ${error.message}`));
  }

  subscribe() {
    this.sub.subscribe();
  }

  /** Gives the subscription another area; what comes from there on is heard by what is returned. */
  move(area, contextOf) {
    const heir = new Heard(this.person, this.channel);
    heir.sub = this.sub;
    heir.move = (...to) => this.move(...to);
    const before = this.#heard;
    heir.answer = call(this.person, "geo.move", { channel: this.channel, area }).then((moved) => {
      heir.begin(contextOf(before, moved));
      this.#heard = heir;
    });
    return heir;
  }

  #keyed({ key, data, removed }) {
    return { key, ...(removed ? {} : this.person.codec.decode(data)) };
  }
}

/** Every third speaks Protobuf, every sixth goes through a proxy that can cut its connection. */
export async function crowd(t, server, size) {
  // Millions of messages are kept, and most are told to many: one copy of each is enough.
  const known = new Map();
  const same = (told) => {
    const text = JSON.stringify(told);
    if (!known.has(text)) known.set(text, told);
    return known.get(text);
  };
  return Promise.all(Array.from({ length: size }, async (_, n) => {
    const codec = codecs[n % 3 === 1 || n % 12 === 0 ? 1 : 0];
    const proxy = n % 6 === 0 ? await Proxy.start(t, server.port) : undefined;
    const url = proxy?.url ?? server.url;
    const person = await connected(t, codec, url, { minReconnectDelay: 1, maxReconnectDelay: 20 });
    const ends = [];
    person.client.on("connecting", ({ code, reason }) => ends.push(`${code} ${reason}`));
    return { ...person, codec, proxy, listeners: [], ends, same };
  }));
}

/** A call of the node's by a client. */
export async function call({ client, codec }, method, data) {
  return codec.decode((await client.rpc(method, codec.encode(data))).data);
}

/** Polls until `isDone` holds for each; those for which it does not in time. */
export async function settled(all, isDone, withinMs) {
  const end = Date.now() + withinMs;
  let open = all;
  for (;;) {
    open = open.filter((each) => !isDone(each));
    if (open.length === 0 || Date.now() > end) return open;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** One request with many commands, carried out in order; each must succeed. */
export async function inOrder(server, commands) {
  const { status, body } = await server.apiRaw("batch", JSON.stringify({ commands }));
  const replies = body.replies ?? body.result?.replies;
  const refused = status === 200 ? replies?.find((reply) => reply.error) : body;
  if (!replies || refused) throw new Error(`a batch was answered ${status}: ${JSON.stringify(refused).slice(0, 500)}`);
}

/** Counts deliveries by each word of a kind of area. */
export function count(kinds, kind, deliveries) {
  for (const word of kind.replace("map of ", "map, ").split(", ")) kinds.set(word, (kinds.get(word) ?? 0) + deliveries);
}

export function counted(kinds) {
  return [...kinds].sort(([one], [other]) => (one < other ? -1 : 1)).map(([kind, told]) => `${kind}: ${told}`).join("; ");
}
