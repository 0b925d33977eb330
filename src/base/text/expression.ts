// Room `base/text`: texts from outside: RE2 expressions, globs, JSON, networks, redaction. In:
// unchecked text. Out: values that are checked. Imports: node.

import { RE2JS } from 're2js';

/** The texts of an expression's named groups; undefined for one outside of the match. */
export type Groups = Readonly<Record<string, string | undefined>>;

/**
 * A regular expression that an operator or a user wrote. It matches in time linear in the text,
 * whatever it says: RE2's syntax, which has neither back-references nor lookaround. Upper and lower
 * case differ, unless it says `(?i)`. It keeps no state between texts.
 */
export class Expression {
  /** As it was written. */
  readonly source: string;
  readonly groups: readonly string[];
  readonly #compiled: RE2JS;

  private constructor(source: string, compiled: RE2JS) {
    this.source = source;
    this.#compiled = compiled;
    this.groups = Object.keys(compiled.namedGroups());
  }

  /** Matches anywhere in a text. Throws an Error with the reason if it cannot be compiled. */
  static anywhere(source: string): Expression {
    return new Expression(source, compiled(source));
  }

  /** One that fits whole texts alone. Throws as `anywhere`. */
  static whole(source: string): Expression {
    compiled(source);
    return new Expression(source, compiled(`^(?:${source})$`));
  }

  test(text: string): boolean {
    return this.#compiled.test(text);
  }

  /** The named groups of its first match; undefined where it does not fit. */
  match(text: string): Groups | undefined {
    if (this.groups.length === 0) return this.test(text) ? noGroups : undefined;
    const matcher = this.#compiled.matcher(text);
    if (!matcher.find()) return undefined;
    return Object.fromEntries(this.groups.map((name) => [name, matcher.group(name) ?? undefined]));
  }

  toString(): string {
    return this.source;
  }
}

const noGroups: Groups = Object.freeze({});

/** The reason names the part of the expression that it is about. */
function compiled(source: string): RE2JS {
  try {
    return RE2JS.compile(source);
  } catch (error) {
    const reason =
      error instanceof Error ? error.message.replace('error parsing regexp: ', '') : String(error);
    throw new Error(
      `is not a regular expression of RE2, which has no back-references and no lookaround: ${reason}`,
    );
  }
}
