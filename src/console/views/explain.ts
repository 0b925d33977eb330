import { useEffect, useState } from 'preact/hooks';
import { html, type Markup } from '../parts/html.ts';
import { Empty, Panel, Refusal, Waiting } from '../parts/pieces.ts';
import { plural } from '../parts/text.ts';
import { addressOf, goTo, type PageAddress } from '../wire/address.ts';
import { ask, withQuery } from '../wire/api.ts';
import { Explained, type ExplainedPull, type ExplainedStep } from './explanation.ts';

/** An image of a file of a job, and what the file says of it. */
interface JobFileImage {
  readonly text: string;
  readonly image?: string;
  readonly finding?: Omit<ExplainedStep, 'number' | 'title'>;
}

interface JobFileImages {
  readonly file: string;
  readonly images: readonly JobFileImage[];
  readonly more: number;
}

interface Answered {
  readonly pull?: ExplainedPull;
  readonly error?: Error;
}

const examples = [
  ['ocp/4.20:cli', 'the tag of an image stream'],
  ['quay.io/openshift/ci:ocp_4.20_cli', 'an image, as clients name it'],
  ['sha256:…', 'a digest of the flat repository'],
  ['K3v9Qx2a-1f', 'a request that failed, by its id'],
] as const;

/** Why a pull fails: of whatever names it, also of the files that a job leaves. */
export function ExplainView({ parameters }: Pick<PageAddress, 'parameters'>): Markup {
  const input = parameters.get('input') ?? '';
  const host = parameters.get('host') ?? '';
  const as = parameters.get('as') ?? '';
  const groups = parameters.get('groups') ?? '';
  const [job, setJob] = useState<JobFileImages | Error>();
  const [node, setNode] = useState<NodeFile>();
  const answer = useExplanation({ input, host, as, groups });
  const listed = job instanceof Error ? undefined : job;
  const chosen = listed?.images.find(({ text, image }) => input === (image ?? text));

  const submitted = (event: SubmitEvent) => {
    event.preventDefault();
    const fields = new FormData(event.currentTarget as HTMLFormElement);
    const word = (name: string) => String(fields.get(name) ?? '').trim();
    goTo(
      addressOf('explain', {
        input: word('input'),
        host: word('host'),
        as: word('as'),
        groups: word('groups'),
      }),
    );
  };
  const taken = async (file: File | undefined) => {
    if (file === undefined) return;
    if (file.name.endsWith('.conf')) return setNode({ name: file.name, text: await file.text() });
    const path = withQuery('console/job-file', { name: file.name });
    setJob(
      await ask<JobFileImages>(path, { method: 'POST', body: await file.text() }).catch(
        (error: Error) => error,
      ),
    );
  };

  return html`<${Panel} title="Explain a pull" note="numbered steps: what was found, where, and what to do">
      <form class="explain" onSubmit=${submitted}>
        <label for="input">Image, tag, digest or request id</label>
        <div class="row">
          <input id="input" name="input" required key=${input} defaultValue=${input} autocomplete="off" spellcheck=${false} placeholder="ocp/4.20:cli" />
          <button type="submit">Explain</button>
        </div>
        <details open=${host !== '' || as !== ''}>
          <summary>As another user, or at another host</summary>
          <div class="row">
            <label>Host <input name="host" defaultValue=${host} placeholder="registry.example" /></label>
            <label>User <input name="as" defaultValue=${as} placeholder="alice" /></label>
            <label>Groups <input name="groups" defaultValue=${groups} placeholder="ocp-readers,developers" /></label>
          </div>
        </details>
        <${DropZone} taken=${taken} />
      </form>
    <//>
    ${job instanceof Error && html`<${Refusal} error=${job} />`}
    ${listed !== undefined && html`<${JobImages} ...${listed} current=${input} />`}
    ${node !== undefined && html`<${NodePlaces} node=${node} input=${input} />`}
    ${answer !== undefined && html`<${Answer} ...${answer} finding=${chosen?.finding} />`}
    ${input === '' && listed === undefined && html`<${Examples} />`}`;
}

function useExplanation(
  query: Readonly<Record<'input' | 'host' | 'as' | 'groups', string>>,
): Answered | undefined {
  const [answer, setAnswer] = useState<Answered>();
  const { input, host, as, groups } = query;
  useEffect(() => {
    setAnswer(undefined);
    if (input === '') return undefined;
    const leaving = new AbortController();
    ask<ExplainedPull>(withQuery('explain', { input, host, as, groups, format: 'json' }), {
      signal: leaving.signal,
    })
      .then((pull) => setAnswer({ pull }))
      .catch((error: Error) => !leaving.signal.aborted && setAnswer({ error }));
    return () => leaving.abort();
  }, [input, host, as, groups]);
  return input === '' ? undefined : (answer ?? {});
}

function Answer({ pull, error, finding }: Answered & Pick<JobFileImage, 'finding'>): Markup {
  if (error !== undefined) return html`<${Refusal} error=${error} />`;
  if (pull === undefined) return html`<${Waiting}>Looking at each step; this takes up to 6 seconds …<//>`;
  return html`<${Explained} pull=${pull} stream=${finding} />`;
}

function DropZone({ taken }: { readonly taken: (file: File | undefined) => void }): Markup {
  const [isOver, setOver] = useState(false);
  const over = (event: DragEvent) => {
    event.preventDefault();
    setOver(event.type !== 'dragleave');
  };
  const dropped = (event: DragEvent) => {
    over(event);
    setOver(false);
    taken(event.dataTransfer?.files[0]);
  };
  return html`<div class=${`drop${isOver ? ' over' : ''}`} onDragOver=${over} onDragLeave=${over} onDrop=${dropped}>
    <label for="job-file">Or drop a job’s <code>imagestreams.json</code> or <code>ci-operator.log</code>, or a node’s <code>registries.conf</code>, here</label>
    <input
      id="job-file"
      type="file"
      accept=".json,.log,.txt,.conf"
      onChange=${({ currentTarget }: { currentTarget: HTMLInputElement }) => taken(currentTarget.files?.[0])}
    />
  </div>`;
}

function JobImages({ file, images, more, current }: JobFileImages & { readonly current: string }): Markup {
  if (images.length === 0)
    return html`<${Panel} title=${file}><${Empty} title="No image failed in it" /><//>`;
  return html`<${Panel} title=${file} note=${`${plural(images.length + more, 'image')} failed in it`}>
    <ul class="job-images">
      ${images.map(({ text, image, finding }) => {
        const input = image ?? text;
        return html`<li key=${text}>
          <a href=${addressOf('explain', { input })} aria-current=${input === current ? 'true' : undefined}>${text}</a>
          ${finding !== undefined && html`<p class="note">${finding.found[0]}</p>`}
        </li>`;
      })}
    </ul>
    ${more > 0 && html`<p class="note">and ${more} more</p>`}
  <//>`;
}

/** A `registries.conf` of a node. */
interface NodeFile {
  readonly name: string;
  readonly text: string;
}

interface ShownPlace {
  readonly location: string;
  readonly image: string;
  readonly skipped?: string;
}

interface NodePlacesProps {
  readonly node: NodeFile;
  /** What is explained; only an image has places. */
  readonly input: string;
}

/** Where a node asks for the image, in order: each place leads to its explanation here. */
function NodePlaces({ node, input }: NodePlacesProps): Markup {
  const [found, setFound] = useState<readonly ShownPlace[] | Error>();
  useEffect(() => {
    setFound(undefined);
    if (input === '') return undefined;
    const leaving = new AbortController();
    const path = withQuery('console/node-config', { image: input });
    ask<{ readonly places: readonly ShownPlace[] }>(path, {
      method: 'POST',
      body: node.text,
      signal: leaving.signal,
    })
      .then(({ places }) => setFound(places))
      .catch((error: Error) => !leaving.signal.aborted && setFound(error));
    return () => leaving.abort();
  }, [node, input]);

  if (found instanceof Error) return html`<${Refusal} error=${found} />`;
  return html`<${Panel} title=${`A node with this ${node.name}`} note="the places that it asks for the image, in order">
    ${input === '' && html`<p class="note">Name an image above.</p>`}
    <ol class="job-images">
      ${found?.map(
        ({ location, image, skipped }) => html`<li key=${location}>
          <a href=${addressOf('explain', { input: image })}>${location}</a>
          ${skipped !== undefined && html`<p class="note">not asked: ${skipped}</p>`}
        </li>`,
      )}
    </ol>
  <//>`;
}

function Examples(): Markup {
  return html`<${Empty} title="Name what cannot be pulled">
    <ul class="examples">${examples.map(([text, what]) => html`<li key=${text}><code>${text}</code> ${what}</li>`)}</ul>
  <//>`;
}
