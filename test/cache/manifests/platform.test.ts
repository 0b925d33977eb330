import { test } from 'tap';
import { statedPlatform } from '../../../src/cache/manifests/completeness.ts';

for (const [userAgent, platform] of [
  ['cri-o/1.37.0 go/go1.26.0 os/linux arch/amd64', 'linux/amd64'],
  [
    'docker/28.5.1 go/go1.24.8 git-commit/f8215cc kernel/6.1.0 os/linux arch/arm64 UpstreamClient(Docker-Client/28.5.1 \\(linux\\))',
    'linux/arm64',
  ],
  ['containerd/2.4.2', undefined],
  ['containers/5.42.1 (github.com/containers/image)', undefined],
  [`os/${'linux'.repeat(100)} arch/amd64`, undefined],
  ['', undefined],
  [undefined, undefined],
] as const) {
  test(`${userAgent?.slice(0, 40)}: ${platform}`, (t) => {
    t.equal(statedPlatform(userAgent), platform);
    t.end();
  });
}
