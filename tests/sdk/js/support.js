// What the JavaScript tests share: one view of the two codecs, a record of events to wait on, a TCP proxy that breaks
// connections, and seeded randomness.

import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { Centrifuge } from "centrifuge";
import { Centrifuge as CentrifugeProtobuf } from "centrifuge/build/protobuf";
import WebSocket from "ws";
import { sign } from "../server.mjs";

const deadlineMs = 15_000;

/** Payloads are JSON values in tests; over Protobuf they travel as bytes. */
export const codecs = [
  { name: "json", Client: Centrifuge, encode: (value) => value, decode: (value) => value },
  {
    name: "protobuf",
    Client: CentrifugeProtobuf,
    encode: (value) => new TextEncoder().encode(JSON.stringify(value)),
    decode: (bytes) => (bytes === undefined ? undefined : JSON.parse(new TextDecoder().decode(bytes))),
  },
];

let names = 0;
/** A channel or user that no other test uses. */
export function unique(prefix) {
  names += 1;
  return `${prefix}${process.pid}_${names}`;
}

/** Events of a client or subscription in the order in which they came. */
export class Events {
  list = [];
  #waiting = new Set();

  constructor(emitter, kinds) {
    for (const kind of kinds) emitter.on(kind, (context) => this.add({ kind, ...context }));
  }

  add(event) {
    this.list.push(event);
    for (const check of this.#waiting) check();
  }

  of(kind) {
    return this.list.filter((event) => event.kind === kind);
  }

  /** The first event of a kind for which `accept` holds, past or future. */
  async first(kind, accept = () => true) {
    let found;
    await this.until(() => (found = this.of(kind).find(accept)), `an event "${kind}"`);
    return found;
  }

  async until(condition, what, withinMs = deadlineMs) {
    if (condition()) return;
    await new Promise((resolve, reject) => {
      const done = (finish) => {
        clearTimeout(timer);
        this.#waiting.delete(check);
        finish();
      };
      // A condition that throws fails the waiting test, not the SDK that emits the event.
      const check = () => {
        try {
          if (condition()) done(resolve);
        } catch (error) {
          done(() => reject(error));
        }
      };
      const timer = setTimeout(
        () => done(() => reject(new Error(`no ${what} in ${withinMs} ms; events: ${show(this.list.slice(-20))}`))),
        withinMs,
      );
      this.#waiting.add(check);
    });
  }
}

function show(value) {
  const short = (_, each) => {
    if (each instanceof Error) return String(each);
    if (each instanceof Uint8Array) return new TextDecoder().decode(each).slice(0, 60);
    return typeof each === "string" ? each.slice(0, 60) : each;
  };
  return JSON.stringify(value, short);
}

/** A client that is closed when the test ends. Reconnects quickly unless told otherwise. */
export function newClient(t, codec, url, options = {}) {
  const client = new codec.Client(url, {
    websocket: WebSocket,
    token: sign({ sub: unique("user") }),
    minReconnectDelay: 20,
    maxReconnectDelay: 200,
    ...options,
  });
  const events = new Events(client, [
    "connecting", "connected", "disconnected", "error", "message",
    "subscribing", "subscribed", "unsubscribed", "publication", "join", "leave",
  ]);
  t.after(() => client.disconnect());
  return { client, events };
}

export async function connected(t, codec, url, options) {
  const made = newClient(t, codec, url, options);
  made.client.connect();
  const { client: id } = await made.events.first("connected");
  return { ...made, id };
}

export function newSubscription(client, channel, options = {}) {
  const sub = client.newSubscription(channel, { minResubscribeDelay: 20, maxResubscribeDelay: 200, ...options });
  const events = new Events(sub, [
    "subscribing", "subscribed", "unsubscribed", "publication", "join", "leave", "error",
  ]);
  return { sub, events };
}

export async function subscribed(client, channel, options) {
  const made = newSubscription(client, channel, options);
  made.sub.subscribe();
  await made.events.first("subscribed");
  return made;
}

/** The code with which a promise is rejected; SDKs reject with plain objects. */
export async function codeOf(promise) {
  try {
    await promise;
  } catch (error) {
    return error.code;
  }
  return assert.fail("expected a refusal");
}

/** Polls what cannot be waited on, such as another process. */
export async function eventually(probe, what, withinMs = deadlineMs) {
  const end = Date.now() + withinMs;
  for (;;) {
    const value = await probe();
    if (value) return value;
    if (Date.now() > end) assert.fail(`not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A TCP proxy in front of a node, to cut, freeze and refuse connections. */
export class Proxy {
  refusing = false;
  frozen = false;
  #server = net.createServer((socket) => this.#accept(socket));
  #pairs = new Set();
  #bytesLeft = Infinity;

  static async start(t, port) {
    const proxy = new Proxy();
    proxy.target = port;
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    t.after(() => {
      proxy.cut();
      proxy.#server.close();
    });
    return proxy;
  }

  get url() {
    return `ws://127.0.0.1:${this.#server.address().port}/connection/websocket`;
  }

  cut() {
    this.#bytesLeft = Infinity;
    for (const pair of this.#pairs) pair.forEach((socket) => socket.destroy());
    this.#pairs.clear();
  }

  /** Cuts after the node has sent so many more bytes: in the middle of a frame as often as not. */
  cutAfter(bytes) {
    this.#bytesLeft = bytes;
  }

  /** Bytes stop to pass and connections stay open, as behind a lost radio link. */
  freeze() {
    this.frozen = true;
  }

  thaw() {
    this.frozen = false;
  }

  #accept(near) {
    if (this.refusing) return near.destroy();
    const far = net.connect(this.target, "127.0.0.1");
    const pair = [near, far];
    this.#pairs.add(pair);
    const close = () => {
      if (this.frozen) return; // the other side does not hear of it; cut() cleans up
      pair.forEach((socket) => socket.destroy());
      this.#pairs.delete(pair);
    };
    for (const socket of pair) {
      socket.setNoDelay(true);
      socket.on("error", close);
      socket.on("close", close);
    }
    // A frozen link loses what is sent meanwhile, and such a connection never works again.
    const pass = (from, to, take) => {
      let lost = false;
      from.on("data", (chunk) => {
        lost ||= this.frozen;
        if (!lost) to.write(take(chunk));
      });
    };
    pass(near, far, (chunk) => chunk);
    pass(far, near, (chunk) => {
      const taken = chunk.subarray(0, this.#bytesLeft);
      this.#bytesLeft -= taken.length;
      if (this.#bytesLeft === 0) setImmediate(() => this.cut());
      return taken;
    });
  }
}

/** Repeatable randomness: the seed is printed with the test, NEARCAST_SEED repeats a run. */
export function seeded(t) {
  const seed = Number(process.env.NEARCAST_SEED ?? Math.floor(Math.random() * 2 ** 31));
  t.diagnostic(`NEARCAST_SEED=${seed}`);
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  return { below: (limit) => next() % limit };
}
