import { registerHooks } from 'node:module';

/** Loaded first in a process that runs tests: `domain.ts` tells whose an uncaught error is. */
registerHooks({
  resolve(specifier, context, next) {
    if (specifier !== 'async-hook-domain') return next(specifier, context);
    return { url: new URL('domain.ts', import.meta.url).href, shortCircuit: true };
  },
});
