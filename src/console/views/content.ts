import { html, type Markup } from '../parts/html.ts';
import { Empty, Panel, Refusal, Waiting } from '../parts/pieces.ts';
import { agoText, countText, plural } from '../parts/text.ts';
import { addressOf, goTo, type PageAddress } from '../wire/address.ts';
import { withQuery } from '../wire/api.ts';
import { useAnswer } from './answer.ts';
import { ManifestPanels, type ShownManifest } from './manifest.ts';

interface RepositoryList {
  readonly repositories: readonly {
    readonly upstream: string;
    readonly repository: string;
    readonly tags: number;
  }[];
  readonly isPartial: boolean;
}

interface TagNames {
  readonly tags: readonly { readonly tag: string; readonly writtenAt: number }[];
  readonly isPartial: boolean;
}

/** Repositories, their tags, a tag's manifest and what it refers to. */
export function ContentView({ parameters }: Pick<PageAddress, 'parameters'>): Markup {
  const word = (name: string) => parameters.get(name) ?? undefined;
  const query = {
    search: word('search'),
    upstream: word('upstream'),
    repository: word('repository'),
    tag: word('tag'),
    digest: word('digest'),
  };
  const { value, error } = useAnswer<Partial<RepositoryList & TagNames & ShownManifest>>(
    withQuery('console/content', query),
  );
  return html`
    <${Trail} ...${query} />
    ${error !== undefined && html`<${Refusal} error=${error} />`}
    ${value === undefined && error === undefined && html`<${Waiting} />`}
    ${value?.repositories !== undefined && html`<${Repositories} search=${query.search ?? ''} ...${value} />`}
    ${value?.tags !== undefined && html`<${Tags} ...${query} ...${value} />`}
    ${value?.digest !== undefined && html`<${ManifestPanels} ...${query} shown=${value} />`}
  `;
}

type ContentAddress = Readonly<Record<'upstream' | 'repository' | 'tag' | 'digest', string | undefined>>;

/** Where we are, and the way back. */
function Trail({ upstream, repository, tag, digest }: ContentAddress): Markup {
  if (repository === undefined) return null;
  const last = tag ?? digest;
  return html`<nav class="trail" aria-label="Place in the content">
    <a href=${addressOf('content')}>Repositories</a>
    <span aria-hidden="true">/</span>
    ${
      last === undefined
        ? html`<span aria-current="page">${upstream}/${repository}</span>`
        : html`<a href=${addressOf('content', { upstream, repository })}>${upstream}/${repository}</a>
            <span aria-hidden="true">:</span> <span aria-current="page">${last}</span>`
    }
  </nav>`;
}

function Repositories({
  search,
  repositories = [],
  isPartial,
}: Partial<RepositoryList> & { readonly search: string }): Markup {
  const submitted = (event: SubmitEvent) => {
    event.preventDefault();
    const word = new FormData(event.currentTarget as HTMLFormElement).get('search');
    goTo(addressOf('content', { search: String(word ?? '').trim() }));
  };
  return html`<${Panel} title="Content" note="repositories of which a tag is known here">
    <form class="search" role="search" onSubmit=${submitted}>
      <label for="content-search">Part of the name</label>
      <div class="row">
        <input id="content-search" name="search" type="search" key=${search} defaultValue=${search} placeholder="quay.io/openshift" />
        <button type="submit">Find</button>
      </div>
    </form>
    ${
      repositories.length === 0
        ? html`<${Empty} title=${search === '' ? 'No repository is known yet' : 'No repository has that in its name'}>
            Content appears here with its first pull.
          <//>`
        : html`<ul class="names">
            ${repositories.map(
              ({ upstream, repository, tags }) => html`<li key=${`${upstream}/${repository}`}>
                <a href=${addressOf('content', { upstream, repository })}><span class="quiet">${upstream}/</span>${repository}</a>
                <span class="number quiet">${plural(tags, 'tag')}</span>
              </li>`,
            )}
          </ul>`
    }
    ${isPartial === true && html`<p class="note">There are more: name a part of the one that you look for.</p>`}
  <//>`;
}

function Tags({ upstream, repository, tags = [], isPartial }: Partial<TagNames> & ContentAddress): Markup {
  return html`<${Panel} title=${repository} note=${`${countText(tags.length)} tags, the latest first`}>
    <ul class="names">
      ${tags.map(
        ({ tag, writtenAt }) => html`<li key=${tag}>
          <a href=${addressOf('content', { upstream, repository, tag })}>${tag}</a>
          <span class="number quiet">asked ${agoText(writtenAt)}</span>
        </li>`,
      )}
    </ul>
    ${isPartial === true && html`<p class="note">Only the latest are shown.</p>`}
  <//>`;
}
