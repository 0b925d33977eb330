import { isDeepStrictEqual } from 'node:util';
import { jsonOrNone } from '../../base/text/json.ts';
import { hasSlept } from '../../base/time/wait.ts';
import type { ConditionReport, ConditionStatus } from '../../conditions/condition.ts';
import { parseReport, reportJson, reportText } from '../../conditions/report-text.ts';
import { refuseWords } from '../flags/arguments.ts';
import { parseFlags } from '../flags/flag-table.ts';
import { type Io, type Run, stopCode } from '../flags/io.ts';
import { isJson } from '../flags/values.ts';
import { statusFlags } from '../pages/server.ts';
import { adminListener, refusalText } from './admin-listener.ts';

/** How often a watched server is asked, milliseconds. */
const everyMs = 2_000;
const notTold = 3;

/** `quayside status`: see its help. */
export const statusShown: Run = async (args, io) => {
  const { values, words } = parseFlags(statusFlags, args);
  refuseWords(words);
  const { watch } = values;
  const { host, get } = await adminListener(values, io);
  let last: ConditionReport | undefined;
  let complaint: string | undefined;

  function show(report: ConditionReport): number {
    if (!isDeepStrictEqual(report, last)) io.stdout.write(textOf(report, isJson(values), last !== undefined));
    [last, complaint] = [report, undefined];
    return isWell(report) ? 0 : 1;
  }

  async function look(): Promise<number> {
    const { status, text } = await get('/statusz?format=json');
    const report = status === 200 ? parseReport(jsonOrNone(text)) : undefined;
    if (report !== undefined) return show(report);
    if (io.signal.aborted) return notTold;
    const why = status === undefined ? text : refusalText(status);
    if (why !== complaint) io.stderr.write(`quayside status: ${host} ${why}\n`);
    complaint = why;
    return notTold;
  }

  const code = await look();
  if (watch !== true) return io.signal.aborted ? stopCode(io.signal.reason) : code;
  return watched(look, io);
};

async function watched(look: () => Promise<unknown>, { signal }: Io): Promise<number> {
  while (await hasSlept(everyMs, signal)) await look();
  return stopCode(signal.reason);
}

function textOf(report: ConditionReport, asJson: boolean, isNext: boolean): string {
  if (asJson) return `${JSON.stringify(reportJson(report))}\n`;
  return `${isNext ? '\n' : ''}${reportText(report)}`;
}

function isWell({ conditions }: ConditionReport): boolean {
  const has = (type: string, status: ConditionStatus): boolean =>
    conditions.some((each) => each.type === type && each.status === status);
  return has('Available', 'True') && !has('Degraded', 'True');
}
