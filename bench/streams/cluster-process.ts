import { writeFile } from 'node:fs/promises';
import { imageStreamDouble } from '../../test/support/image-stream-double.ts';
import { digestOfItem, type ManyStreams, putManyStreams } from '../../test/support/many-streams.ts';
import { answerQuestions } from '../servers/worker.ts';

/** What the bench wants of its cluster. */
export type ClusterQuestion =
  | { readonly kind: 'start'; readonly kubeconfigFile: string }
  | ({ readonly kind: 'fill' } & ManyStreams)
  /** Refuses every request from now on, or answers again. */
  | { readonly kind: 'refuse'; readonly isRefusing: boolean }
  /** Gives one tag of one stream another image. */
  | { readonly kind: 'change' }
  | { readonly kind: 'counts' };

/** Requests so far. */
export interface ClusterAnswer {
  readonly lists: number;
  readonly watches: number;
  readonly others: number;
}

const api = await imageStreamDouble();

answerQuestions<ClusterQuestion, ClusterAnswer>(async (question) => {
  if (question.kind === 'start') await writeFile(question.kubeconfigFile, api.kubeconfig);
  if (question.kind === 'fill') putManyStreams(api, question);
  if (question.kind === 'change') change();
  if (question.kind === 'refuse') {
    if (question.isRefusing) api.switches.answersStatus = 503;
    else delete api.switches.answersStatus;
  }
  const streams = api.requests.filter(({ path }) => path.endsWith('/imagestreams'));
  const watches = streams.filter(({ query }) => query.has('watch')).length;
  return { lists: streams.length - watches, watches, others: api.requests.length - streams.length };
});

function change(): void {
  const dockerImageReference = `quay-proxy.ci.openshift.org/openshift/ci@${digestOfItem(-1, -1, -1)}`;
  const items = [{ created: new Date().toISOString(), dockerImageReference, image: '' }];
  api.putObject('ocp/changed', { status: { tags: [{ tag: 'latest', items }] } });
}
