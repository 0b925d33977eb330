/**
 * Loaded first in a process that runs tests: `domain.ts` tells whose an uncaught error is, and what
 * a test made is let go when it has ended. The plugins of tap keep all tests of the process.
 */
import { registerHooks } from 'node:module';

/**
 * The plugin of tap that runs teardowns removes the directory of a test first, where the test made
 * that before it named a teardown: while servers write there still. Then it is not empty when it is
 * removed, and nothing is closed.
 */
const removedFirst =
  /const ret = onEOF\(\);\s+if \(isPromise\(ret\)\) \{\s+return ret\.then\(\(\) => this\.#callTeardown\(\)\);\s+\}\s+return this\.#callTeardown\(\);/;
const closedFirst =
  'const ret = this.#callTeardown(); return isPromise(ret) ? ret.then(() => onEOF()) : onEOF();';

registerHooks({
  resolve(specifier, context, next) {
    if (specifier !== 'async-hook-domain') return next(specifier, context);
    return { url: new URL('domain.ts', import.meta.url).href, shortCircuit: true };
  },
  load(url, context, next) {
    const loaded = next(url, context);
    if (!url.includes('/@tapjs/') || loaded.source === undefined) return loaded;
    const source = String(loaded.source)
      .replace('static #refs = new Map()', 'static #refs = new WeakMap()')
      .replace(removedFirst, closedFirst);
    if (url.includes('/@tapjs/after/') && !source.includes(closedFirst))
      throw new Error(`${url} is another version: test/run/preload.ts does not know how it runs teardowns`);
    return { ...loaded, source };
  },
});
