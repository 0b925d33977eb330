import type { Scenario } from './scenario.ts';
import { artifactsApi, artifactsTag } from './scenarios/artifacts.ts';
import { clientAnswers } from './scenarios/client-answers.ts';
import { clients } from './scenarios/clients.ts';
import { clusterClients } from './scenarios/cluster-clients.ts';
import { clusterConditions } from './scenarios/cluster-conditions.ts';
import { clusterHosts } from './scenarios/cluster-hosts.ts';
import { clusterOperator } from './scenarios/cluster-operator.ts';
import { clusterOurself } from './scenarios/cluster-ourself.ts';
import { clusterRbac } from './scenarios/cluster-rbac.ts';
import { clusterReviews } from './scenarios/cluster-reviews.ts';
import { clusterSeveral } from './scenarios/cluster-several.ts';
import { clusterStreams } from './scenarios/cluster-streams.ts';
import { completion } from './scenarios/completion.ts';
import { conformance } from './scenarios/conformance.ts';
import { console_ } from './scenarios/console.ts';
import { containerd } from './scenarios/containerd.ts';
import { crane } from './scenarios/crane.ts';
import { crashFilesystem, crashS3 } from './scenarios/crash.ts';
import { curl } from './scenarios/curl.ts';
import { deploy } from './scenarios/deploy.ts';
import { deployPod } from './scenarios/deploy-pod.ts';
import { deployValues } from './scenarios/deploy-values.ts';
import { docs } from './scenarios/docs.ts';
import { drill } from './scenarios/drill.ts';
import { explain } from './scenarios/explain.ts';
import { fleet } from './scenarios/fleet.ts';
import { fleetOthers, fleetParted, fleetRefused, fleetStranger } from './scenarios/fleet-odd.ts';
import { fresh } from './scenarios/fresh.ts';
import { howTo } from './scenarios/how-to.ts';
import { image } from './scenarios/image.ts';
import { inspect } from './scenarios/inspect.ts';
import { load } from './scenarios/load.ts';
import { loginHtpasswd, loginToken } from './scenarios/logins.ts';
import { migrate } from './scenarios/migrate.ts';
import { mirrorAttachments } from './scenarios/mirror-attachments.ts';
import { mirrorCrash } from './scenarios/mirror-crash.ts';
import { mirrorFiles } from './scenarios/mirror-files.ts';
import { mirrorLoop } from './scenarios/mirror-loop.ts';
import { mirrorRegistries } from './scenarios/mirror-registries.ts';
import { mirrorSchema1 } from './scenarios/mirror-schema1.ts';
import { mirrorStreams } from './scenarios/mirror-streams.ts';
import { mirrorThrottled } from './scenarios/mirror-throttled.ts';
import { misses } from './scenarios/misses.ts';
import { monitoring } from './scenarios/monitoring.ts';
import { nodesOnBadDays } from './scenarios/nodes-on-bad-days.ts';
import { packed } from './scenarios/packed.ts';
import { podman } from './scenarios/podman.ts';
import { prune } from './scenarios/prune.ts';
import { pruneCluster } from './scenarios/prune-cluster.ts';
import { robots } from './scenarios/robots.ts';
import { s3Radosgw, s3Versitygw } from './scenarios/s3.ts';
import { shutdown } from './scenarios/shutdown.ts';
import { signatures } from './scenarios/signatures.ts';
import { simulate } from './scenarios/simulate.ts';
import { skopeo } from './scenarios/skopeo.ts';

/** Names of several that are played together. */
export const groups: Readonly<Record<string, readonly string[]>> = {
  install: ['fresh', 'docs', 'packed', 'completion', 'image'],
  operate: ['deploy', 'deploy-pod', 'deploy-values', 'how-to', 'monitoring'],
};

/** All of them, in the order in which they are played. */
export const scenarios: readonly Scenario[] = [
  fresh,
  docs,
  packed,
  completion,
  skopeo,
  podman,
  containerd,
  clientAnswers,
  nodesOnBadDays,
  signatures,
  curl,
  crane,
  artifactsTag,
  artifactsApi,
  loginHtpasswd,
  loginToken,
  robots,
  clusterRbac,
  clusterHosts,
  clusterReviews,
  clusterOperator,
  clusterConditions,
  clusterSeveral,
  clusterOurself,
  clusterClients,
  clusterStreams,
  clients,
  deploy,
  deployPod,
  deployValues,
  howTo,
  s3Versitygw,
  s3Radosgw,
  shutdown,
  crashFilesystem,
  crashS3,
  fleet,
  fleetOthers,
  fleetStranger,
  fleetRefused,
  fleetParted,
  mirrorRegistries,
  mirrorAttachments,
  mirrorThrottled,
  mirrorFiles,
  mirrorCrash,
  mirrorLoop,
  mirrorSchema1,
  mirrorStreams,
  explain,
  inspect,
  migrate,
  prune,
  pruneCluster,
  misses,
  load,
  drill,
  simulate,
  monitoring,
  console_,
  image,
  conformance,
];
