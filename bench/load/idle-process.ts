/** Connections that asked once, got their answer, and stay open. */
import { connect, type Socket } from 'node:net';
import { answerQuestions } from '../servers/worker.ts';

export interface IdleQuestion {
  readonly origin: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** How many there are to be from now on; 0 closes all. */
  readonly connections: number;
}

export interface IdleAnswer {
  /** Connections that are open now. */
  readonly open: number;
  /** Why one is not. */
  readonly failure?: string;
}

const openedAtOnce = 200;
const open = new Set<Socket>();

async function keep({ connections, ...asked }: IdleQuestion): Promise<IdleAnswer> {
  if (connections === 0) for (const socket of open) socket.destroy();
  const failures: string[] = [];
  while (open.size < connections && failures.length === 0) {
    const count = Math.min(openedAtOnce, connections - open.size);
    const begun = await Promise.all(Array.from({ length: count }, () => answered(asked)));
    failures.push(...begun.filter((failure) => failure !== undefined));
  }
  const [failure] = failures;
  return { open: open.size, ...(failure === undefined ? {} : { failure }) };
}

/** Opens a connection, and asks once; resolves to what went wrong. */
function answered({ origin, path, headers }: Omit<IdleQuestion, 'connections'>): Promise<string | undefined> {
  const { host, port } = new URL(origin);
  const fields = Object.entries({ host, ...headers }).map(([name, value]) => `${name}: ${value}`);
  return new Promise((resolve) => {
    const socket = connect({ port: Number(port), host: '127.0.0.1', noDelay: true });
    open.add(socket);
    socket.once('connect', () => socket.write([`HEAD ${path} HTTP/1.1`, ...fields, '', ''].join('\r\n')));
    socket.once('data', (head) => {
      const status = head.toString('latin1', 9, 12);
      resolve(status === '200' ? undefined : `status ${status}`);
    });
    socket.on('error', ({ message }) => resolve(message));
    socket.once('close', () => {
      open.delete(socket);
      resolve('the server closed the connection');
    });
  });
}

answerQuestions(keep);
