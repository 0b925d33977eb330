import manifest from '../../../package.json' with { type: 'json' };
import { revisionOf } from '../../base/text/revision.ts';
import { parsed, UsageError } from '../flags/arguments.ts';
import type { Run } from '../flags/io.ts';

/** `quayside version`: what support asks for first. */
export const version: Run = async (args, { stdout, env }) => {
  const { values, positionals } = parsed(args, { output: { type: 'string', short: 'o' } });
  const [word] = positionals;
  if (word !== undefined) throw new UsageError(`takes no argument ${word}`);
  const { output } = values;
  if (output !== undefined && output !== 'json') throw new UsageError(`--output is json, not ${output}`);
  const { name, version: number } = manifest;
  const facts = {
    version: number,
    revision: revisionOf(env),
    node: process.versions.node,
  };
  const text = output === 'json' ? JSON.stringify(facts) : `${name} ${number}`;
  stdout.write(`${text}\n`);
  return 0;
};
