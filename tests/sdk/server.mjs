// A nearcast node for tests: starts the real binary on ports that the system chooses, calls its HTTP API, signs
// tokens, and stops it again. A node that logs an error or panics fails the test that stops it.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const repository = fileURLToPath(new URL("../../", import.meta.url));
const configPath = fileURLToPath(new URL("./nearcast.toml", import.meta.url));
const startTimeoutMs = 20_000;
const stopTimeoutMs = 40_000;
const logLinesMax = 2_000;

export const binary = process.env.NEARCAST_BIN ?? `${repository}target/release/nearcast`;
export const secret = "a secret of the tests, 32 bytes or more";
export const apiKey = "an api key of the tests";
export const long = process.env.NEARCAST_LONG === "1";

// No node outlives the tests, whatever became of them.
const running = new Set();
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));

export class Server {
  #child;
  #log = [];

  /**
   * `env` overrides keys of nearcast.toml, or of `--dev` if that is asked for; `http` fixes the address so that clients
   * can come back to it.
   */
  static async start({ env = {}, http, dev = false } = {}) {
    const server = new Server();
    const mode = dev ? ["--dev"] : ["--config", configPath];
    await server.#spawn(mode, http ? { ...env, NEARCAST_LISTEN__HTTP: http } : env);
    return server;
  }

  get url() {
    return `ws://${this.http}/connection/websocket`;
  }

  get port() {
    return Number(this.http.split(":").at(-1));
  }

  /** The result of a method of the HTTP API; a refusal throws an error that has the API's `code`. */
  async api(method, request) {
    const { status, body } = await this.apiRaw(method, JSON.stringify(request));
    assert.equal(status, 200, `${method} answered ${status}: ${JSON.stringify(body)}`);
    if (body.error) {
      throw Object.assign(new Error(`${method}: ${body.error.message}`), { code: body.error.code });
    }
    return body.result;
  }

  async apiRaw(method, text, headers = {}) {
    const response = await fetch(`http://${this.http}/api/${method}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-API-Key": apiKey, ...headers },
      body: text,
    });
    const answer = await response.text();
    try {
      return { status: response.status, body: JSON.parse(answer) };
    } catch {
      return { status: response.status, body: answer };
    }
  }

  publish(channel, data, more = {}) {
    return this.api("publish", { channel, data, ...more });
  }

  /** Drains the node and returns when the process is gone. */
  async stop() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
      this.#checkLog();
      throw new Error(`the node was already gone (${this.#child.exitCode ?? this.#child.signalCode}):\n${this.#tail()}`);
    }
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGTERM");
    const deadline = setTimeout(() => this.#child.kill("SIGKILL"), stopTimeoutMs);
    const [code, signal] = await exited;
    clearTimeout(deadline);
    assert.equal(signal, null, `the node did not drain within ${stopTimeoutMs} ms:\n${this.#tail()}`);
    assert.equal(code, 0, `a drained node exits with 0:\n${this.#tail()}`);
    this.#checkLog();
  }

  async #spawn(mode, env) {
    this.#child = spawn(binary, ["serve", ...mode, "--print-addresses"], {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    running.add(this.#child);
    this.#child.once("exit", () => running.delete(this.#child));
    const failed = new Promise((_, reject) => {
      this.#child.once("error", (error) => reject(new Error(`${binary}: ${error.message}`)));
      this.#child.once("exit", (code) => reject(new Error(`the node exited with ${code}:\n${this.#tail()}`)));
      setTimeout(() => reject(new Error(`no addresses after ${startTimeoutMs} ms:\n${this.#tail()}`)), startTimeoutMs)
        .unref();
    });
    failed.catch(() => {}); // also rejects at the end of a node's life, when nobody waits for it
    readLines(this.#child.stderr, (line) => this.#record(line));
    const addresses = new Promise((resolve) => {
      readLines(this.#child.stdout, (line) => {
        this.#record(line);
        if (line.startsWith("{") && line.includes('"http"')) resolve(JSON.parse(line));
      });
    });
    Object.assign(this, await Promise.race([addresses, failed]));
  }

  #record(line) {
    if (process.env.NEARCAST_TEST_LOG) process.stderr.write(`  node: ${line}\n`);
    this.#log.push(line);
    if (this.#log.length > logLinesMax) this.#log.shift();
  }

  #checkLog() {
    const faults = this.#log.filter((line) => /panicked|\bERROR\b/.test(line));
    assert.deepEqual(faults, [], "the node logged errors");
  }

  #tail() {
    return this.#log.slice(-20).join("\n");
  }
}

/** A token signed with HS256. Without `exp` it does not expire. */
export function sign(claims, key = secret) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const text = `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}`;
  return `${text}.${createHmac("sha256", key).update(text).digest("base64url")}`;
}

export function secondsFromNow(seconds) {
  return Math.floor(Date.now() / 1000) + seconds;
}

export function readLines(stream, onLine) {
  let rest = "";
  stream.setEncoding("utf8");
  stream.on("data", (chunk) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop();
    lines.forEach(onLine);
  });
  stream.on("end", () => rest && onLine(rest));
}
