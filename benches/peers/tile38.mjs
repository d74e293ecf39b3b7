// Tile38 under the load of `nearcast bench fixes`: each object moves over a connection of its own,
// so many fixes are under way at once, fences tell of enter and exit over one connection more.
// Starts the server, prints one line of JSON, ends it.
//
//   node benches/peers/tile38.mjs BINARY SECONDS RATE|max [MOVERS [FENCES [WINDOW]]]
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const [binary, ...numbers] = process.argv.slice(2);
const [seconds, rate, movers = 1000, fences = 10_000, window = 256] = numbers.map((text) =>
  text === 'max' ? Infinity : Number(text),
);
if (!binary || !(seconds > 0) || !(rate > 0)) {
  console.error('usage: tile38.mjs BINARY SECONDS RATE|max [MOVERS [FENCES [WINDOW]]]');
  process.exit(2);
}
const SIDE_M = 20_000;
const STEP_M = 10;
const FENCE_M = 200;

const degrees = ([east, north]) => [
  (48.1 + north / 111_195).toFixed(7),
  (16.2 + east / (111_195 * Math.cos((48.1 * Math.PI) / 180))).toFixed(7),
];
const anywhere = () => [Math.random() * SIDE_M, Math.random() * SIDE_M];

function step(mover) {
  for (const axis of [0, 1]) {
    const next = mover.place[axis] + mover.step[axis];
    if (next < 0 || next > SIDE_M) mover.step[axis] = -mover.step[axis];
    mover.place[axis] += mover.step[axis];
  }
  return degrees(mover.place);
}

function newcomer() {
  const heading = Math.random() * 2 * Math.PI;
  return { place: anywhere(), step: [Math.sin(heading) * STEP_M, Math.cos(heading) * STEP_M] };
}

const command = (...words) =>
  `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(`${word}`)}\r\n${word}\r\n`).join('')}`;

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

async function open(port) {
  for (let tries = 0; ; tries++) {
    try {
      return await new Promise((resolve, reject) => {
        const socket = connect({ port, host: '127.0.0.1', noDelay: true });
        socket.once('connect', () => resolve(socket)).once('error', reject);
      });
    } catch (error) {
      if (tries === 50) throw error;
      await sleep(100);
    }
  }
}

const replied = (socket, text) =>
  new Promise((resolve, reject) => {
    let heard = '';
    const onData = (bytes) => {
      heard += bytes;
      if (!heard.endsWith('\r\n')) return;
      socket.off('data', onData);
      if (heard.startsWith('-')) reject(new Error(heard));
      else resolve(heard);
    };
    socket.on('data', onData).write(text);
  });

// User and system time in milliseconds.
function cpuMs(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

const at = (sorted, quantile) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * quantile))] ?? 0;

const folder = mkdtempSync(join(tmpdir(), 'tile38-'));
const port = await freePort();
const server = spawn(binary, ['-h', '127.0.0.1', '-p', port, '-d', folder, '-q', '--appendonly', 'no'], {
  stdio: 'ignore',
});
try {
  const control = await open(port);
  for (let number = 0; number < fences; number++) {
    const fence = ['NEARBY', 'fleet', 'FENCE', 'DETECT', 'enter,exit', 'POINT', ...degrees(anywhere()), FENCE_M];
    await replied(control, command('SETCHAN', `f${number}`, ...fence));
  }
  const results = await open(port);
  await replied(results, command('PSUBSCRIBE', 'f*'));
  const sentAt = new Float64Array(movers);
  const waits = [];
  // A name may be cut between two reads; each is counted by what is whole.
  let rest = '';
  results.setEncoding('latin1').on('data', (text) => {
    const now = performance.now();
    rest += text;
    let end = 0;
    for (const found of rest.matchAll(/"id":"m(\d+)"/g)) {
      waits.push(now - sentAt[found[1]]);
      end = found.index + found[0].length;
    }
    rest = rest.slice(Math.max(end, rest.length - 64));
  });
  let answered = 0;
  let sent = 0;
  const fleet = [];
  for (let number = 0; number < movers; number++) {
    const socket = await open(port);
    socket.on('data', (bytes) => {
      for (const byte of bytes) if (byte === 10) answered++;
      if (rate === Infinity) go();
    });
    fleet.push({ ...newcomer(), socket });
  }
  const began = performance.now();
  const cpuBefore = cpuMs(server.pid);
  const go = () => {
    const now = performance.now();
    const due = rate === Infinity ? Infinity : Math.floor(((now - began) / 1000) * rate);
    if (now - began >= seconds * 1000) return;
    while (sent - answered < window && sent < due) {
      const number = sent++ % movers;
      sentAt[number] = now;
      fleet[number].socket.write(command('SET', 'fleet', `m${number}`, 'POINT', ...step(fleet[number])));
    }
  };
  const ticks = setInterval(go, 1);
  await sleep(seconds * 1000);
  clearInterval(ticks);
  while (answered < sent && performance.now() - began < seconds * 1000 + 5000) await sleep(1);
  const elapsed = (performance.now() - began) / 1000;
  const cpu = cpuMs(server.pid) - cpuBefore;
  await sleep(200);
  waits.sort((a, b) => a - b);
  console.log(
    JSON.stringify({
      fixes: answered,
      fixes_per_s: Math.round(answered / elapsed),
      server_cpu_us_per_fix: Number(((cpu * 1000) / answered).toFixed(2)),
      server_cores: Number((cpu / 1000 / elapsed).toFixed(2)),
      told: { count: waits.length, p50_us: Math.round(at(waits, 0.5) * 1000), p99_us: Math.round(at(waits, 0.99) * 1000) },
    }),
  );
  for (const socket of [control, results, ...fleet.map((mover) => mover.socket)]) socket.destroy();
} finally {
  server.kill();
  rmSync(folder, { recursive: true, force: true });
}
