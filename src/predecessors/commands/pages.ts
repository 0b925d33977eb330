import type { CommandPage } from '../../cli/flags/page.ts';
import { mirrorServeFlags } from './mirror-serve-flags.ts';
import { proxyFlags } from './proxy-flags.ts';

const dialect = `The flags are written with one dash or two, and have the defaults of that program.`;

/** What is said of `quayside proxy`. */
export const proxyPage: CommandPage = {
  flags: proxyFlags,
  about: dialect,
  notes: `Rights as before: users who may get imagestreams/layers in ocp may pull, and every service account. Blobs come from where quay.io redirects to. Changed secrets and certificates are reloaded. Stops as quayside serve does.`,
};

/** What is said of `quayside mirror serve`. */
export const mirrorServePage: CommandPage = {
  flags: mirrorServeFlags,
  about: dialect,
  notes: `Metrics are at :8080. The queue is kept in the store and survives a restart. Stops as quayside serve does.`,
};
