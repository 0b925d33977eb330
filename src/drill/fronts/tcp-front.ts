import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { listening, reset } from './listening.ts';

/** A way for connections, to one of several servers in turn. */
export interface TcpFront {
  readonly host: string;
  /** Connections pass, are reset, or bring nothing any more, also those that are open. */
  set(state: TcpState): void;
  /** How many ends of connections were reset or fell silent since the state was set. */
  met(): number;
  close(): Promise<void>;
}

type TcpState = 'open' | 'dead' | 'silent';

/** `targets`: the ports of loopback that take connections now, in turn. */
export async function createTcpFront(targets: () => readonly number[]): Promise<TcpFront> {
  const front = new Connections(targets);
  const { port, close } = await listening(createServer((near) => front.take(near)));
  return {
    host: `127.0.0.1:${port}`,
    set: (state) => front.set(state),
    met: () => front.met,
    async close() {
      await Promise.all([front.ended(), close()]);
    },
  };
}

class Connections {
  readonly #targets: () => readonly number[];
  readonly #open = new Set<Socket>();
  #state: TcpState = 'open';
  #turn = 0;
  met = 0;

  constructor(targets: () => readonly number[]) {
    this.#targets = targets;
  }

  set(state: TcpState): void {
    const wasSilent = this.#state === 'silent';
    this.#state = state;
    this.met = state === 'open' ? 0 : this.#open.size;
    for (const socket of this.#open) {
      if (state === 'dead' || wasSilent) reset(socket);
      else if (state === 'silent') socket.pause().unpipe();
    }
  }

  /** Resolves when the last socket is closed. */
  async ended(): Promise<void> {
    this.set('dead');
    await Promise.all([...this.#open].map((socket) => socket.closed || once(socket, 'close')));
  }

  take(near: Socket): void {
    this.#keep(near);
    if (this.#state !== 'open') this.met += 1;
    if (this.#state === 'dead') reset(near);
    else if (this.#state === 'silent') near.pause();
    else this.#join(near, this.#inTurn());
  }

  #inTurn(): readonly number[] {
    const ports = this.#targets();
    this.#turn += 1;
    return ports.map((_, index) => ports[(index + this.#turn) % ports.length] ?? 0);
  }

  /** As a Service does: what refuses the connection is passed over. */
  #join(near: Socket, [port, ...others]: readonly number[]): void {
    if (near.destroyed) return;
    if (port === undefined) return void reset(near);
    const far = connect(port, '127.0.0.1');
    let isConnected = false;
    this.#keep(far);
    far.once('connect', () => {
      isConnected = true;
      near.pipe(far).pipe(near);
    });
    far.once('close', () => {
      if (isConnected || near.destroyed) near.destroy();
      else this.#join(near, others);
    });
    near.once('close', () => far.destroy());
  }

  #keep(socket: Socket): void {
    socket.on('error', () => undefined);
    this.#open.add(socket);
    socket.once('close', () => this.#open.delete(socket));
  }
}
