/** Room for so many at a time under each key; the others wait in order. */
export interface Slots {
  /** Does the work once there is room. Rejects with the signal's reason while it waits. */
  run<T>(key: string, work: () => Promise<T>, signal: AbortSignal): Promise<T>;
}

/** Empty slots, as many under each key. */
export function slots(perKey: number): Slots {
  const rooms = new Map<string, Room>();
  return {
    async run(key, work, signal) {
      signal.throwIfAborted();
      const room = rooms.get(key) ?? { inside: 0, queue: new Set() };
      rooms.set(key, room);
      if (room.inside < perKey) room.inside += 1;
      else await turn(room.queue, signal);
      try {
        return await work();
      } finally {
        leave(room);
        if (room.inside === 0) rooms.delete(key);
      }
    },
  };
}

interface Room {
  inside: number;
  readonly queue: Set<() => void>;
}

/** Who leaves hands the room to who waits longest. */
function leave(room: Room): void {
  const [next] = room.queue;
  if (next === undefined) {
    room.inside -= 1;
  } else {
    room.queue.delete(next);
    next();
  }
}

function turn(queue: Set<() => void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = (): void => {
      queue.delete(enter);
      reject(signal.reason);
    };
    const enter = (): void => {
      signal.removeEventListener('abort', leave);
      resolve();
    };
    queue.add(enter);
    signal.addEventListener('abort', leave, { once: true });
  });
}
