/** One `WWW-Authenticate` challenge (RFC 9110 section 11.6.1): the scheme in lower case and its parameters. */
export interface Challenge {
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
}

const gap = /[ \t,]*/y;
const token = /[A-Za-z0-9!#$%&'*+.^_`|~-]+/y;
const equals = /[ \t]*=[ \t]*/y;
/** Unquoted values hold whole URLs in the field. */
const value = /"((?:[^"\\]|\\.)*)"|([^\s,"]+)/y;
/** What Negotiate and its like say instead of parameters. */
const token68 = /[ \t]+[A-Za-z0-9._~+/-]+=*[ \t]*(?=,|$)/y;

/** The challenges of one or several header lines, in order; what cannot be read ends its line. */
export function parseChallenges(lines: string | readonly string[] | undefined): readonly Challenge[] {
  if (lines === undefined) return [];
  return (typeof lines === 'string' ? [lines] : lines).flatMap(parseLine);
}

/** A challenge as a header value: every parameter quoted, as containers/image and the conformance suite need it. */
export function challengeText(schemeName: string, parameters: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(parameters).map(
    ([key, value]) => `${key}="${value.replace(/["\\]/g, '\\$&')}"`,
  );
  return `${schemeName} ${pairs.join(',')}`;
}

/**
 * Element by element: a word with a value belongs to the scheme before it, any other one is a
 * scheme.
 */
function parseLine(line: string): Challenge[] {
  const challenges: Challenge[] = [];
  let parameters: Record<string, string> | undefined;
  const read = reader(line);
  for (;;) {
    read(gap);
    const word = read(token)?.[0];
    if (word === undefined) return challenges;
    if (read(equals) === undefined) {
      parameters = {};
      challenges.push({ scheme: word.toLowerCase(), parameters });
      read(token68);
    } else {
      const [, quoted, bare = ''] = read(value) ?? [];
      if (parameters === undefined) return challenges;
      parameters[word.toLowerCase()] = quoted?.replace(/\\(.)/g, '$1') ?? bare;
    }
  }
}

/** Reads what fits next, and goes on behind it: each character is looked at a few times at most. */
function reader(line: string): (expected: RegExp) => RegExpExecArray | undefined {
  let at = 0;
  return (expected) => {
    expected.lastIndex = at;
    const match = expected.exec(line) ?? undefined;
    at += match?.[0].length ?? 0;
    return match;
  };
}
