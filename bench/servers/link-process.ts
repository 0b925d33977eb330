/**
 * A relay on TCP level that plays the link to the upstream: all its connections together carry no
 * more than so many bytes a second towards the clients, and it counts what crosses. It never looks
 * into a body.
 */
import { connect, type Socket } from 'node:net';
import { answerRelay, type Meter } from './relay.ts';

export interface LinkOptions {
  readonly targetPort: number;
  /** Bytes a second of all connections together. 0 = as fast as the loopback. */
  readonly bytesPerSecond: number;
}

const tickMs = 2;

function passed(client: Socket, targetPort: number, gate: Gate, meter: Meter): void {
  const upstream = connect({ port: targetPort, host: '127.0.0.1', noDelay: true });
  client.setNoDelay(true);
  client.on('data', (chunk: Buffer) => {
    meter.sent(chunk);
    const isFull = !upstream.write(chunk);
    if (isFull) client.pause();
  });
  upstream.on('drain', () => client.resume());
  upstream.on('data', (chunk: Buffer) => {
    meter.received(chunk);
    const isFull = !client.write(chunk);
    if (isFull) client.once('drain', () => gate.resume(upstream));
    gate.spend(chunk.byteLength);
    if (isFull) upstream.pause();
    else gate.passOrWait(upstream);
  });
  client.on('end', () => upstream.end());
  upstream.on('end', () => client.end());
  for (const [one, other] of [
    [client, upstream],
    [upstream, client],
  ] as const) {
    one.on('error', () => other.destroy());
    one.on('close', () => other.destroy());
  }
}

interface Gate {
  spend(bytes: number): void;
  /** Pauses the socket until there is room, first come first served. */
  passOrWait(socket: Socket): void;
  /** Resumes the socket as soon as there is room. */
  resume(socket: Socket): void;
}

/**
 * A token bucket that may go into debt by one chunk; idle time saves up no more than four ticks.
 */
function throttle(bytesPerSecond: number): Gate {
  if (bytesPerSecond === 0)
    return { spend: () => {}, passOrWait: () => {}, resume: (socket) => socket.resume() };
  const waiting: Socket[] = [];
  let tokens = 0;
  let at = performance.now();
  setInterval(() => {
    const now = performance.now();
    tokens = Math.min(tokens + ((now - at) / 1000) * bytesPerSecond, (4 * tickMs * bytesPerSecond) / 1000);
    at = now;
    for (let free = tokens; free > 0 && waiting.length > 0; free -= 65_536) waiting.shift()?.resume();
  }, tickMs);
  return {
    spend: (bytes) => {
      tokens -= bytes;
    },
    passOrWait: (socket) => {
      if (tokens > 0 && waiting.length === 0) return;
      socket.pause();
      waiting.push(socket);
    },
    resume: (socket) => waiting.push(socket),
  };
}

answerRelay(({ targetPort, bytesPerSecond }: LinkOptions, meter) => {
  const gate = throttle(bytesPerSecond);
  return (client) => passed(client, targetPort, gate, meter);
});
