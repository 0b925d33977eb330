import type { CheckedClient, LinkFinding } from './link.ts';

/** One line of the report. */
export interface LinkReport extends LinkFinding {
  readonly location: string;
}

/** What was found for one client. */
export interface ClientReport {
  readonly client: CheckedClient;
  readonly image: string;
  /** The files that say so. */
  readonly files: readonly string[];
  readonly links: readonly LinkReport[];
  /** Why its files cannot be followed. */
  readonly trouble?: string;
}

const marks = { ok: '✓', wrong: '✗', unknown: '?', skipped: '-' } as const;

/** A line for the client, and one for each place that it asks. */
export function reportText({ client, image, files, links, trouble }: ClientReport): string {
  const by = files.length === 0 ? 'without a file of its own' : `by ${files.join(', ')}`;
  const head = `${client} pulls ${image} ${by}`;
  const lines = links.map(linkText);
  const said = trouble === undefined ? lines : [`? ${trouble}`, ...lines];
  return `${[head, ...said.map((line) => `  ${line}`)].join('\n')}\n`;
}

function linkText(link: LinkReport): string {
  const { verdict, location, status, code, reason, step, hit, seconds, next, digest } = link;
  if (verdict === 'skipped') return `${marks.skipped} ${location}  not asked: ${reason}`;
  const facts = [marks[verdict], location, status === undefined ? '' : ` ${status} `].filter(
    (part) => part !== '',
  );
  if (verdict === 'ok') {
    const from = hit === undefined ? '' : `; Quayside: ${hit}`;
    return `${facts.join(' ')} ${reason} in ${seconds.toFixed(1)} s${from}; ${digest ?? ''}`;
  }
  const what = step === 'connection' ? '' : `${step}: `;
  const named = code === undefined ? '' : `${code}: `;
  return `${facts.join(' ')} ${what}${named}${reason}${next === undefined ? '' : ` → ${next}`}`;
}

/** 1: something is wrong; 3: something cannot be told; 0: every place that is asked answers. */
export function exitCode(reports: readonly ClientReport[]): number {
  const verdicts = reports.flatMap(({ links, trouble }) => [
    ...links.map(({ verdict }) => verdict),
    ...(trouble === undefined ? [] : (['unknown'] as const)),
  ]);
  if (verdicts.includes('wrong')) return 1;
  return verdicts.includes('unknown') || !verdicts.includes('ok') ? 3 : 0;
}
