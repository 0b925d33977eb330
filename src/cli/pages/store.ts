import type { FlagTable } from '../flags/flag-table.ts';
import type { CommandPage } from '../flags/page.ts';
import { boolean, output } from '../flags/values.ts';
import { oldJson } from './server.ts';

export const evictFlags = {
  config: { value: 'FILE', help: 'the settings, YAML; those of the servers that use the store' },
  'dry-run': { ...boolean, help: 'print what would be deleted, and delete nothing' },
  output: { ...output, help: 'text: a table, or json: one document' },
  ...oldJson,
} as const satisfies FlagTable;

export const evictPage: CommandPage = {
  flags: evictFlags,
  notes: `Servers do the same every eviction.everyMs, and may run meanwhile: one process evicts at a time. Content of pinned tags, and content stored or used within the last 20 minutes, is never deleted.`,
};

export const bucketEnsureFlags = {
  config: { value: 'FILE', help: 'the settings, YAML; of them store.s3 without its credentials' },
  confirm: { ...boolean, help: 'make the changes; without it the plan is printed, and nothing is changed' },
  'access-key-id-file': {
    value: 'FILE',
    help: 'the credentials, with the next two; without them the AWS chain (environment, profile, role), never those of store.s3',
  },
  'secret-access-key-file': { value: 'FILE', help: 'belongs to --access-key-id-file' },
  'session-token-file': { value: 'FILE', help: 'belongs to --access-key-id-file' },
  tag: { isList: true, value: 'KEY=VALUE', help: 'a tag besides quayside/IDENTITY=owned' },
  'kms-key': { value: 'ID', help: 'encrypt by this key of KMS; without it: AES256' },
  'cleanup-days': {
    value: 'N',
    default: '1',
    help: 'after how many days incomplete multipart uploads are aborted',
  },
  output: { ...output, help: 'text, or json: {bucket, owner, untold, plan, changes, conditions}' },
} as const satisfies FlagTable;

export const bucketEnsurePage: CommandPage = {
  flags: bucketEnsureFlags,
  notes: `Creates a missing bucket and tags it as ours; then blocks public access, and adds default encryption and the lifecycle rule where they are missing. Tags and rules that are there stay. A bucket without that tag is user supplied: of it the plan is printed, and nothing is changed.`,
  exits: `Exits with 0 when the bucket is there and no change was refused, or the plan was printed, else with 1. A setting that the server does not implement counts as no failure.`,
};
