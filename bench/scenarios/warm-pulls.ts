import type { Lab } from '../lab.ts';
import { peerNames } from '../peers/peers.ts';
import type { Measure, Target } from '../scenario.ts';
import type { Server, ServerName } from '../servers/server.ts';
import type { StartOptions } from '../servers/start.ts';
import { against, inTurn } from '../statistics.ts';
import { filledWith, imageSample, warmMeasures } from './image-sample.ts';
import { loginOf, withServers } from './started.ts';

interface WarmPulls {
  readonly clients: readonly number[];
  /** Default: all peers. */
  readonly names?: readonly ServerName[];
  readonly options?: StartOptions;
  /** What is done before each sample, unmeasured. */
  readonly before?: () => Promise<void>;
}

/** Pulls of the ordinary image, which each server has, by so many clients at once. */
export async function warmPulls(
  lab: Lab,
  { clients, names = peerNames, options = {}, before }: WarmPulls,
): Promise<Measure[]> {
  const rounds = lab.form.rounds(3, 7);
  const paths = lab.offer.ordinary;
  return withServers(
    lab,
    names,
    async (servers) => {
      const logins = new Map<string, Readonly<Record<string, string>>>();
      for (const server of servers) {
        logins.set(server.name, options.hasLogin === true ? await loginOf(lab, server) : {});
        await filledWith(lab, server, paths, logins.get(server.name));
      }
      const measures: Measure[] = [];
      for (const count of clients) {
        const what = count === 1 ? '1 pull' : `${count} pulls at once`;
        lab.say(`${what}, ${servers.length} servers in turn, ${rounds} ×`);
        const measure = async (server: Server) => {
          await before?.();
          return imageSample(lab, server, { paths, clients: count, headers: logins.get(server.name) ?? {} });
        };
        const contenders = servers.map((server) => ({ name: server.name, measure: () => measure(server) }));
        measures.push(...warmMeasures(what, await inTurn(rounds, contenders)));
      }
      return measures;
    },
    { upstream: 'loopback', ...options },
  );
}

/** No slower than distribution, in each of the wall times. */
export function wallTargets(measures: readonly Measure[]): readonly Target[] {
  return measures
    .filter(({ unit, what }) => unit === 's' && !what.includes(':'))
    .map((wall) => against(wall, 'distribution', { sense: 'at most', bound: 1 }));
}
