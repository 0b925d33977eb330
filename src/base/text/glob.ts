import { RE2JS } from 're2js';
import { Expression } from './expression.ts';

/** What the stars of a glob stand for: expressions of RE2. */
interface Stars {
  /** `*` */
  readonly one: string;
  /** `**`; without it two stars are two times one. */
  readonly two?: string;
}

/** A glob over tags: `*` is any text. Fits whole tags. */
export function tagGlob(glob: string): Expression {
  return globbed(glob, { one: '.*' });
}

/** Fits whole repositories: `*` is text within a component, `**` text across components. */
export function repositoryGlob(glob: string): Expression {
  return globbed(glob, { one: '[^/]*', two: '.*' });
}

function globbed(glob: string, { one, two = `${one}${one}` }: Stars): Expression {
  const parts = glob.split('**').map((part) =>
    part
      .split('*')
      .map((text) => RE2JS.quote(text))
      .join(one),
  );
  return Expression.whole(parts.join(two));
}
