// Many connections of the released SDK, each with several subscriptions under labels, and what they were told.

import { connected, Proxy } from "../support.js";

/** Subscriptions to one channel string: what came since each subscribe reply. */
export class Listener {
  segments = [];
  failed = [];

  constructor(person, channel, area) {
    Object.assign(this, { person, channel, area });
    const data = area.data ? { data: area.data } : {};
    this.sub = person.client.newSubscription(channel, { minResubscribeDelay: 20, maxResubscribeDelay: 200, ...data });
    this.sub.on("subscribed", (context) => this.segments.push({ context, told: [] }));
    this.sub.on("publication", ({ data: told, offset }) => this.segments.at(-1).told.push(person.same({ ...told, offset })));
    this.sub.on("unsubscribed", ({ code, reason }) => this.failed.push(`unsubscribed: ${code} ${reason}`));
    this.sub.on("error", ({ error }) => this.failed.push(`${error.code} ${error.message}`));
  }

  get last() {
    return this.segments.at(-1);
  }

  get count() {
    return this.segments.reduce((sum, { told }) => sum + told.length, 0);
  }

  subscribe() {
    this.sub.subscribe();
  }
}

export async function crowd(t, codec, server, size) {
  // Millions of messages are kept, and most are told to many: one copy of each is enough.
  const known = new Map();
  const same = (told) => {
    const text = JSON.stringify(told);
    if (!known.has(text)) known.set(text, told);
    return known.get(text);
  };
  return Promise.all(Array.from({ length: size }, async (_, n) => {
    // Every sixth goes through a proxy that can cut its connection.
    const proxy = n % 6 === 0 ? await Proxy.start(t, server.port) : undefined;
    const url = proxy?.url ?? server.url;
    const person = await connected(t, codec, url, { minReconnectDelay: 1, maxReconnectDelay: 20 });
    const ends = [];
    person.client.on("connecting", ({ code, reason }) => ends.push(`${code} ${reason}`));
    return { ...person, proxy, listeners: [], ends, same };
  }));
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
