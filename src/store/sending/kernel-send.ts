import type koffi from 'koffi';

/** Sends bytes of a file to a socket within the kernel: Linux' `sendfile`. */
export interface KernelSend {
  /**
   * A second descriptor of the same socket or file. The caller closes it: until then its number
   * means that socket, whatever becomes of the first one. Throws when there is none to be had.
   */
  duplicate(fd: number): number;
  /**
   * Sends at most `length` bytes from `position` on, on a thread of the pool, and tells how many:
   * fewer where the socket has no room for more, 0 at the end of the file, and -1 where nothing
   * could be sent, which the next write by the socket itself explains; also of a call that has not
   * begun when the signal aborts. Moves the position of `file`. Both descriptors must stay open
   * until `sent` is called, in a later turn.
   */
  send(request: KernelSendRequest, sent: (bytes: number) => void): void;
}

interface KernelSendRequest {
  readonly socket: number;
  readonly file: number;
  readonly position: number;
  readonly length: number;
  /** The reader is gone. */
  readonly signal: AbortSignal;
}

const duplicateAndCloseOnExec = 1030;
const fromStart = 0;

/** Calls that wait here and not in the pool, which others use too; `koffi` takes 256. */
const mostAtOnce = 16;

/** Where `off_t` and `long` have 64 bits, and koffi comes with a library that needs no build. */
const machines: readonly string[] = ['x64', 'arm64', 'riscv64', 'loong64'];

/** Why the kernel cannot send here: the system is another one, or koffi cannot be loaded. */
export interface KernelSendLack {
  readonly lacks: 'system' | 'library';
  readonly error?: unknown;
}

/** What the kernel of this machine offers, or why nothing. Never rejects. */
export async function loadKernelSend(): Promise<KernelSend | KernelSendLack> {
  if (process.platform !== 'linux' || !machines.includes(process.arch)) return { lacks: 'system' };
  try {
    const { default: library } = await import('koffi');
    return limitedSend(createKernelSend(library), mostAtOnce);
  } catch (error) {
    return { lacks: 'library', error };
  }
}

/** Passes integers alone: the kernel refuses a wrong one, and no memory is touched. */
function createKernelSend(library: typeof koffi): KernelSend {
  const libc = library.load(null);
  const fcntl = libc.func('int fcntl(int fd, int command, ...)');
  const lseek = libc.func('int64_t lseek(int fd, int64_t offset, int whence)');
  const sendfile = libc.func('int64_t sendfile(int socket, int file, intptr_t offset, size_t length)');
  return {
    duplicate(fd) {
      const copy: unknown = fcntl(fd, duplicateAndCloseOnExec, 'int', 0);
      if (typeof copy !== 'number' || copy < 0) throw new Error('no second descriptor of the socket');
      return copy;
    },
    send({ socket, file, position, length }, sent) {
      if (lseek(file, position, fromStart) !== position) return void setImmediate(sent, -1);
      sendfile.async(socket, file, 0, length, (error: unknown, bytes: unknown) => {
        sent(error === null && typeof bytes === 'number' ? bytes : -1);
      });
    },
  };
}

/** The same, so many calls at a time; while a disk hangs, readers that have left wait no longer. */
export function limitedSend({ duplicate, send }: KernelSend, mostAtOnce: number): KernelSend {
  const waiting = new Set<() => void>();
  let running = 0;

  function begin(request: KernelSendRequest, sent: (bytes: number) => void): void {
    running += 1;
    send(request, (bytes) => {
      running -= 1;
      const [next] = waiting;
      next?.();
      sent(bytes);
    });
  }

  function wait(request: KernelSendRequest, sent: (bytes: number) => void): void {
    const { signal } = request;
    const start = (): void => {
      waiting.delete(start);
      signal.removeEventListener('abort', leave);
      begin(request, sent);
    };
    const leave = (): void => {
      waiting.delete(start);
      setImmediate(sent, -1);
    };
    waiting.add(start);
    signal.addEventListener('abort', leave, { once: true });
  }

  return {
    duplicate,
    send(request, sent) {
      if (running < mostAtOnce) begin(request, sent);
      else wait(request, sent);
    },
  };
}
