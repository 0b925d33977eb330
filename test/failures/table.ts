import { concurrently } from '../../src/base/flow/each.ts';
import { accessFailures } from './access-failures.ts';
import { columns, type Failure, type FailureRow, played } from './failure.ts';
import { mirrorFailures } from './mirror-failures.ts';
import { storeFailures } from './store-failures.ts';
import { upstreamFailures } from './upstream-failures.ts';

const atOnce = 6;

const groups: readonly (readonly [title: string, failures: readonly Failure[]])[] = [
  ['Refused by Quayside', accessFailures],
  ['The upstream', upstreamFailures],
  ['The store', storeFailures],
  ['The mirror', mirrorFailures],
];

const head = `# What is said of each failure

Made by \`npm run failures -- --write\`, which lets each failure happen to the real service, between
doubles of registries, S3 and a cluster. A test compares this page with what the service says.

- **client**: what \`curl\` sees. skopeo, podman and docker show the \`message\` alone; of a 5xx they
  show nothing, so take the request's id from the log by time and path.
- **log**: the line \`request\` has the \`message\`, too. Further lines are named by their text.
- **metrics**: a sample that counts the failure.
- **condition**: what [\`quayside status\`](conditions.md) shows of it. It counts after its inertia.
  \`–\`: all parts are well, since one request or one image fails.
- **explain**: the first fault that \`quayside explain\` names; it also says what to do.
`;

/** The whole page. A few failures at a time, and the one of the whole process alone. */
export async function failurePage(): Promise<string> {
  const rows = new Map<Failure, FailureRow>();
  const take = async (failure: Failure): Promise<void> => void rows.set(failure, await named(failure));
  const all = groups.flatMap(([, failures]) => failures);
  await concurrently(
    all.filter(({ isAlone }) => isAlone !== true),
    atOnce,
    take,
  );
  for (const failure of all.filter(({ isAlone }) => isAlone === true)) await take(failure);
  const parts = groups.map(([title, failures]) => {
    const found = failures.flatMap((failure) => rows.get(failure) ?? []);
    return `## ${title}\n\n${tableOf(found)}\n`;
  });
  return [head, ...parts].join('\n');
}

async function named(failure: Failure): Promise<FailureRow> {
  try {
    return await played(failure);
  } catch (cause) {
    throw new Error(`cannot play the failure: ${failure.name}`, { cause });
  }
}

function tableOf(rows: readonly FailureRow[]): string {
  const lines = rows.map((row) => columns.map((column) => row[column].replaceAll('|', '\\|')));
  const cells = [columns, columns.map(() => '---'), ...lines];
  return cells.map((line) => `| ${line.join(' | ')} |`).join('\n');
}
