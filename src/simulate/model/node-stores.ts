/** The content that one node has, the least recently used first. */
interface NodeStore {
  readonly sizes: Map<number, number>;
  bytes: number;
  /** When it was made anew, milliseconds. */
  bornAt: number;
}

interface NodeStoreOptions {
  /** What the images of a node may take, bytes. */
  readonly maxBytes: number;
  /** After so long a node is another one, which has nothing; milliseconds. */
  readonly livesMs: number;
}

/** The image stores of all nodes: what a node has, it does not pull. */
export class NodeStores {
  readonly #options: NodeStoreOptions;
  readonly #nodes = new Map<string, NodeStore>();

  constructor(options: NodeStoreOptions) {
    this.#options = options;
  }

  /** Whether the node has it, which then counts as used. */
  has(node: string, id: number, now: number): boolean {
    const { sizes } = this.#of(node, now);
    const size = sizes.get(id);
    if (size === undefined) return false;
    sizes.delete(id);
    sizes.set(id, size);
    return true;
  }

  /** The node has pulled it: what it has not used for the longest time gives way. */
  add(node: string, id: number, bytes: number, now: number): void {
    const store = this.#of(node, now);
    store.bytes += bytes - (store.sizes.get(id) ?? 0);
    store.sizes.delete(id);
    store.sizes.set(id, bytes);
    for (const [oldest, size] of store.sizes) {
      if (store.bytes <= this.#options.maxBytes) break;
      store.sizes.delete(oldest);
      store.bytes -= size;
    }
  }

  #of(node: string, now: number): NodeStore {
    const { livesMs } = this.#options;
    const known = this.#nodes.get(node);
    if (known === undefined) {
      // Nodes that live as long as each other were not all born at once.
      const bornAt = now - livesMs * ((this.#nodes.size * 0.618_033_988_749) % 1);
      const store = { sizes: new Map(), bytes: 0, bornAt: Number.isFinite(bornAt) ? bornAt : 0 };
      this.#nodes.set(node, store);
      return store;
    }
    if (now - known.bornAt >= livesMs) {
      known.sizes.clear();
      known.bytes = 0;
      known.bornAt = now;
    }
    return known;
  }
}
