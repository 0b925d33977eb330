import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import { until } from '../../support/program.ts';
import { browser, type TestBrowser, type WatchedPage } from '../fixtures/browser.ts';
import { type ConsoleStand, consoleStand, parkedDestination } from '../fixtures/console-stand.ts';
import type { Scenario, Scene } from '../scenario.ts';

const docs = join(import.meta.dirname, '../../../docs');
const desktop = { width: 1280, height: 1320 };
const phone = { width: 390, height: 844 };

/** The console in a real browser: what each view says, a download that moves, what is pressed. */
export const console_: Scenario = {
  name: 'console',
  needs: ['chromium'],
  limitMs: 300_000,
  async play(scene) {
    const [stand, chromium] = [await consoleStand(scene), await browser(scene)];
    const watched = await chromium.open({ origin: stand.proxy.admin, viewport: desktop });
    await watched.page.goto(`${stand.proxy.admin}/console/`);
    const looking = { scene, stand, watched };
    await overview(looking);
    await moving(looking);
    await explained(looking);
    await content(looking);
    await mirrored(looking);
    await otherViews(looking);
    await accessible(looking, chromium);
    await scene.fact('no request left the page’s origin, and nothing was refused or failed in it', () =>
      assert.deepEqual(watched.faults, []),
    );
    await loggedIn(looking, chromium);
  },
};

interface Looking {
  readonly scene: Scene;
  readonly stand: ConsoleStand;
  readonly watched: WatchedPage;
}

/** Opens a view as a person does, by its link. */
async function view(page: Page, name: string): Promise<void> {
  await page.getByRole('navigation', { name: 'Views' }).getByRole('link', { name }).click();
  await page.getByRole('heading', { level: 1, name }).waitFor();
}

/** The text of a part of the page by its heading. */
function panel(page: Page, name: string) {
  return page.getByRole('region', { name, exact: true });
}

async function overview({ scene, watched: { page } }: Looking): Promise<void> {
  await scene.fact(
    'the overview has conditions, traffic, upstreams and storage, told by the server',
    async () => {
      await panel(page, 'Conditions').getByText('Available True').waitFor();
      await page.getByText('Money saved').waitFor();
      const upstreams = (await panel(page, 'Upstreams').textContent()) ?? '';
      assert.match(upstreams, /quay\.io[\s\S]*closed/);
      assert.match(upstreams, /not asked yet: .*ghcr\.io/);
      assert.match((await panel(page, 'Where bytes came from').textContent()) ?? '', /memory|store/);
      assert.match(
        (await panel(page, 'Storage').textContent()) ?? '',
        /Store[\s\S]*of 31\.5|Store[\s\S]*not measured/,
      );
      assert.equal(await page.getByRole('status').first().textContent(), 'live');
    },
  );
}

/** For the picture: a minute of pulls, some of images that are new. */
async function traffic({ source, pull }: ConsoleStand): Promise<void> {
  for (let round = 0; round < 26; round += 1) {
    const isNew = round % 6 === 0;
    if (isNew) source.addImage('team/app', `build-${round}`, { layers: [200_000, 2_000_000 + round] });
    await pull('team/app', isNew ? `build-${round}` : 'v4.20');
    if (round % 3 === 0) await pull('openshift/ci', 'latest');
    await setTimeout(1_000);
  }
}

/** A blob that takes some seconds, seen while it comes. */
async function moving({ scene, stand, watched: { page } }: Looking): Promise<void> {
  const { source, proxy } = stand;
  if (scene.takesPictures) await traffic(stand);
  const bytes = 24_000_000;
  const digest = source.addBlob('team/app', randomBytes(bytes));
  source.switches.bytesPerSecond = 2_000_000;
  const reading = fetch(`${proxy.url}/v2/quay.io/team/app/blobs/${digest}`).then((answer) =>
    answer.arrayBuffer(),
  );
  await scene.fact('a download is seen moving, and is gone once it is there', async () => {
    const bar = panel(page, 'Downloads under way').getByRole('progressbar', { name: 'quay.io/team/app' });
    const value = async () => Number(await bar.getAttribute('value', { timeout: 10_000 }));
    const first = await value();
    await until('it moves', async () => (await value()) > first);
    const second = await value();
    await until('it moves on', async () => (await value()) > second);
    assert.equal(Number(await bar.getAttribute('max')), bytes);
    await pictured(scene, page, 'overview');
    delete source.switches.bytesPerSecond;
    assert.equal((await reading).byteLength, bytes);
    await panel(page, 'Downloads under way').getByText('Nothing is being downloaded').waitFor();
  });
}

async function explained({ scene, watched: { page } }: Looking): Promise<void> {
  await scene.fact('a failure says its sentence, and leads to its explanation', async () => {
    await view(page, 'Failures');
    await page.getByLabel('Filter').fill('v9');
    const failure = page.getByRole('link', { name: /quay\.io.*(unknown|no such)/i });
    assert.equal(await failure.count(), 1);
    await failure.click();
    await page.getByText(/^request .* GET \/v2\/quay\.io\/team\/app\/manifests\/v9: 404/).waitFor();
    await page.getByText('something is wrong').waitFor();
    await pictured(scene, page, 'explain');
  });
  await scene.fact(
    'a dropped imagestreams.json names what failed, and the step says what the file says',
    async () => {
      await view(page, 'Explain');
      const file = {
        metadata: { namespace: 'ci-op-1', name: 'stable' },
        spec: { tags: [{ name: 'cli', from: { kind: 'DockerImage', name: 'quay.io/team/app:v4.20' } }] },
        status: {
          tags: [
            {
              tag: 'cli',
              conditions: [
                {
                  type: 'ImportSuccess',
                  status: 'False',
                  reason: 'Unauthorized',
                  message: 'you may not have access',
                },
              ],
            },
          ],
        },
      };
      await page.getByLabel(/drop a job/).setInputFiles({
        name: 'imagestreams.json',
        mimeType: 'application/json',
        buffer: Buffer.from(JSON.stringify(file)),
      });
      await page.getByRole('link', { name: 'ci-op-1/stable:cli' }).click();
      await page
        .getByRole('listitem')
        .filter({ hasText: 'image stream' })
        .getByText(/you may not have access/)
        .waitFor();
    },
  );
  await scene.fact('with a dropped registries.conf the places are shown that a node asks', async () => {
    const conf = `[[registry]]
location = "quay.io"
[[registry.mirror]]
location = "cache.example.com/quay.io"
`;
    await page.getByLabel(/drop a job/).setInputFiles({
      name: 'registries.conf',
      mimeType: 'text/plain',
      buffer: Buffer.from(conf),
    });
    const mirror = page.getByRole('link', { name: 'cache.example.com/quay.io/team/app' });
    await mirror.waitFor();
    await mirror.click();
    await page.getByText('quay.io/team/app:v4.20').first().waitFor();
  });
}

async function content({ scene, stand, watched: { page } }: Looking): Promise<void> {
  await scene.fact('content leads from the repository to the tag, its layers and its pin', async () => {
    await view(page, 'Content');
    await page.getByLabel('Part of the name').fill('openshift/ci');
    await page.getByRole('button', { name: 'Find' }).click();
    await page.getByRole('link', { name: 'quay.io/openshift/ci' }).click();
    await page.getByRole('link', { name: 'latest', exact: true }).click();
    await page.getByText('quay.io/openshift/ci:latest', { exact: false }).first().waitFor();
    const layers = await page.getByRole('row').count();
    assert.equal(layers, 5, 'a heading, a config and three layers');
    assert.match((await page.locator('main').textContent()) ?? '', /1\.50.MB/);
    await page.goBack();
    await page.getByRole('link', { name: 'v4.19', exact: true }).waitFor();
    assert.equal((await stand.pull('openshift/ci', 'v4.19')).length, 3);
  });
}

async function mirrored({ scene, stand, watched: { page } }: Looking): Promise<void> {
  await scene.fact('parked copies are shown with their reasons', async () => {
    await view(page, 'Mirror');
    const parked = page.getByRole('listitem').filter({ hasText: parkedDestination });
    await parked
      .getByText(/DENIED|denied|403/)
      .first()
      .waitFor();
    await page.getByText('held by an operator until its release: release freeze until Monday').waitFor();
    await pictured(scene, page, 'mirror', { colorScheme: 'dark' });
  });
  await scene.fact('a press on retry copies the image once the destination takes it', async () => {
    delete stand.destination.switches.status;
    await page.getByRole('button', { name: `Retry ${parkedDestination}` }).click();
    await page.getByText(`${parkedDestination} is tried again.`).waitFor();
    await until('it is copied', () => stand.destination.tagOf('mirror/tools', 'v4.20') !== undefined);
    await page.getByRole('listitem').filter({ hasText: parkedDestination }).waitFor({ state: 'detached' });
  });
  await scene.fact('a hold is released, and a copy dropped, each after its press', async () => {
    const held = 'registry.example/mirror/cli:v4.19';
    await page.getByRole('button', { name: `Release ${held}` }).click();
    await page.getByText('No destination is held').waitFor();
    await until('it is copied', () => stand.destination.tagOf('mirror/cli', 'v4.19') !== undefined);
    for (const path of ['/quayside/api/v1/mirrors/retry', '/quayside/api/v1/mirrors/release'])
      await stand.proxy.said(`"operator":"local","verb":"post","path":"${path}"`);
  });
}

async function otherViews({ scene, stand, watched: { page } }: Looking): Promise<void> {
  await scene.fact('the eviction shows what would go at another size, and deletes nothing', async () => {
    await view(page, 'Eviction');
    await page.getByRole('link', { name: '20 %' }).click();
    await page.getByText(/At 20 % of eviction\.maxBytes/).waitFor();
    await page.getByText('Used within 20 min').waitFor();
  });
  await scene.fact('the fleet shows its members, and which one does not answer', async () => {
    await view(page, 'Fleet');
    await page.getByText('answers', { exact: false }).first().waitFor();
    assert.match((await panel(page, 'Members').textContent()) ?? '', /left alone/);
  });
  await scene.fact('the settings in force are shown, and no secret', async () => {
    await view(page, 'Settings');
    await page.getByText('maxBytes', { exact: false }).first().waitFor();
    const text = await page.locator('main').textContent();
    assert.match(String(text), /tokenFile/);
    assert.doesNotMatch(String(text), new RegExp(stand.token));
  });
}

/** What is looked at again on a phone: the widest of all. */
const wideViews = [
  '',
  'explain?input=quay.io/team/app:v4.20',
  'mirror',
  'content?upstream=quay.io&repository=openshift/ci&tag=latest',
];
const allViews = [
  '',
  'failures',
  'explain?input=quay.io/team/app:v4.20',
  'content',
  'mirror',
  'eviction',
  'fleet',
  'settings',
];

async function accessible({ scene, stand, watched }: Looking, chromium: TestBrowser): Promise<void> {
  const base = `${stand.proxy.admin}/console/`;
  const seen = async ({ page, violations }: WatchedPage, names: readonly string[]) => {
    const found: string[] = [];
    for (const name of names) {
      await page.goto(`${base}#/${name}`);
      await page.locator('main > :nth-child(2)').waitFor();
      await page.locator('.waiting').first().waitFor({ state: 'detached' });
      found.push(...(await violations()).map((each) => `#/${name} ${each}`));
    }
    return found;
  };
  await scene.fact('axe-core finds nothing in any view', async () => {
    assert.deepEqual(await seen(watched, allViews), []);
  });
  const small = await chromium.open({
    origin: stand.proxy.admin,
    viewport: phone,
    colorScheme: 'dark',
    hasTouch: true,
  });
  await scene.fact('nor on a phone, in the dark; and no view is wider than the phone', async () => {
    assert.deepEqual(await seen(small, wideViews), []);
    for (const name of allViews) {
      await small.page.goto(`${base}#/${name}`);
      await small.page.locator('main > :nth-child(2)').waitFor();
      assert.equal(await small.page.evaluate('document.documentElement.scrollWidth'), phone.width, name);
    }
    await small.page.goto(`${base}#/`);
    await panel(small.page, 'Conditions').getByText('Available True').waitFor();
    await pictured(scene, small.page, 'phone');
  });
  await small.close();
  await scene.fact('by keyboard alone a view is reached and opened', async () => {
    const { page } = watched;
    await page.goto(`${base}#/`);
    await page.reload();
    await panel(page, 'Conditions').waitFor();
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate('document.activeElement.textContent'), 'Skip to the content');
    for (let tabs = 0; tabs < 12; tabs += 1) {
      await page.keyboard.press('Tab');
      if ((await page.evaluate('document.activeElement.textContent.trim()')) === 'Failures') break;
    }
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 1, name: 'Failures' }).waitFor();
    const isFocused = async () => (await page.evaluate('document.activeElement.id')) === 'main';
    await until('the content has the focus', isFocused);
  });
}

async function loggedIn({ scene, stand }: Looking, chromium: TestBrowser): Promise<void> {
  const { proxy, token } = stand;
  // As what a proxy in front passes on.
  const forwarded = { 'x-forwarded-for': '10.0.0.7' };
  const { page, violations, close } = await chromium.open({
    origin: proxy.admin,
    viewport: desktop,
    extraHTTPHeaders: forwarded,
  });
  await page.goto(`${proxy.admin}/console/`);
  await scene.fact('from elsewhere a login is asked for, and a wrong one is refused in words', async () => {
    await page.getByText('login is required').waitFor();
    assert.deepEqual(await violations(), []);
    await page.getByLabel(/Token of the cluster/).fill('a-token-that-is-not-known-to-anyone');
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByText('The token is not known').waitFor();
    assert.deepEqual(await page.context().cookies(), []);
  });
  await scene.fact(
    'a login shows the page, in a cookie that scripts do not see, and ends by logging out',
    async () => {
      await page.getByLabel(/Token of the cluster/).fill(token);
      await page.getByRole('button', { name: 'Log in' }).click();
      await panel(page, 'Conditions').getByText('Available True').waitFor();
      const [cookie] = await page.context().cookies();
      assert.deepEqual(
        [cookie?.httpOnly, cookie?.sameSite, cookie?.name],
        [true, 'Strict', 'quayside-login'],
      );
      assert.equal(await page.evaluate('document.cookie'), '');
      assert.ok(!page.url().includes(token));
      await page.reload();
      await panel(page, 'Conditions').waitFor();
      await page.getByRole('button', { name: 'Log out' }).click();
      await page.getByText('login is required').waitFor();
      await proxy.said('"operator":"tokenFile","verb":"login"');
      assert.doesNotMatch(await proxy.output(), new RegExp(token));
    },
  );
  await close();
}

/** A picture for the documents, where they are asked for. */
async function pictured(
  { takesPictures }: Scene,
  page: Page,
  name: string,
  { colorScheme = null }: { readonly colorScheme?: 'dark' | null } = {},
): Promise<void> {
  if (!takesPictures) return;
  if (colorScheme !== null) await page.emulateMedia({ colorScheme });
  await page.screenshot({ path: join(docs, `console-${name}.png`), animations: 'disabled' });
  if (colorScheme !== null) await page.emulateMedia({ colorScheme: null });
}
