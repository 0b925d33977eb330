/**
 * Stands for `async-hook-domain`, by which tap learns which test an uncaught error belongs to. That
 * follows every promise of the process, which took a fifth of the processor time of all tests.
 * Here it is the first test that has not ended: those of a file run one after the other.
 */
type ErrorListener = (error: unknown, event: string) => void;

/** Of tests that have not ended, in the order in which they were made; tap's own come first. */
const open: Domain[] = [];
const own = 2;

export class Domain {
  readonly onerror: ErrorListener;

  constructor(onerror: ErrorListener) {
    this.onerror = onerror;
    open.push(this);
    if (open.length > 1) return;
    for (const event of ['uncaughtException', 'unhandledRejection'])
      process.on(event, (error: unknown) => {
        // A test that listens itself decides itself.
        if (process.listenerCount(event) === 1) (open[own] ?? open[0])?.onerror(error, event);
      });
  }

  destroy(): void {
    const index = open.indexOf(this);
    if (index >= 0) open.splice(index, 1);
  }
}
