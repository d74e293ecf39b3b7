// A network between browser and node that can drop all UDP, or give clients another port: a proxy with a socket of its own for each client.

import { createSocket } from "node:dgram";
import { once } from "node:events";

export class UdpProxy {
  isBlocked = false;
  #front = createSocket("udp4");
  #upstreams = new Map(); // the client's address -> the socket that speaks for it

  static async start(target) {
    const proxy = new UdpProxy();
    proxy.#front.on("message", (packet, client) => proxy.#pass(packet, client, target));
    proxy.#front.bind(0, "127.0.0.1");
    await once(proxy.#front, "listening");
    return proxy;
  }

  get address() {
    return `127.0.0.1:${this.#front.address().port}`;
  }

  stop() {
    this.#front.close();
    this.#upstreams.forEach((socket) => socket.close());
  }

  /** As a NAT that has forgotten: from now on each client comes from another port. */
  rebind() {
    this.#upstreams.forEach((socket) => socket.close());
    this.#upstreams.clear();
  }

  #pass(packet, { address, port }, target) {
    if (this.isBlocked) return;
    const client = `${address}:${port}`;
    let socket = this.#upstreams.get(client);
    if (!socket) {
      socket = createSocket("udp4");
      socket.on("message", (answer) => this.isBlocked || this.#front.send(answer, port, address));
      socket.on("error", () => {}); // nobody listens while the node is away
      this.#upstreams.set(client, socket);
    }
    const [host, targetPort] = target.split(":");
    socket.send(packet, Number(targetPort), host, () => {});
  }
}
