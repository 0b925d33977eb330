import type { Scenario } from './scenario.ts';
import { containerd } from './scenarios/containerd.ts';
import { podman } from './scenarios/podman.ts';
import { skopeo } from './scenarios/skopeo.ts';

/** All of them, in the order in which they are played. */
export const scenarios: readonly Scenario[] = [skopeo, podman, containerd];
