import manifest from '../../../package.json' with { type: 'json' };
import { revisionOf } from '../../base/text/revision.ts';
import { refuseWords } from '../flags/arguments.ts';
import { parseFlags } from '../flags/flag-table.ts';
import type { Run } from '../flags/io.ts';
import { versionFlags } from '../pages/config.ts';

/** `quayside version`: what support asks for first. */
export const version: Run = async (args, { stdout, env }) => {
  const { values, words } = parseFlags(versionFlags, args);
  refuseWords(words);
  const { name, version: number } = manifest;
  const facts = {
    version: number,
    revision: revisionOf(env),
    node: process.versions.node,
  };
  const text = values.output === 'json' ? JSON.stringify(facts) : `${name} ${number}`;
  stdout.write(`${text}\n`);
  return 0;
};
