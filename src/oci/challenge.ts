/** One `WWW-Authenticate` challenge (RFC 9110 section 11.6.1): the scheme in lower case and its parameters. */
export interface Challenge {
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
}

const scheme = /^\s*,?\s*([A-Za-z][A-Za-z0-9!#$%&'*+.^_`|~-]*)(?:\s+|$)(?!\s*=)/;
const parameter = /^\s*,?\s*([A-Za-z0-9!#$%&'*+.^_`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/;

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

function parseLine(line: string): Challenge[] {
  const challenges: Challenge[] = [];
  let rest = line;
  for (let match = scheme.exec(rest); match?.[1] !== undefined; match = scheme.exec(rest)) {
    rest = rest.slice(match[0].length);
    const parameters: Record<string, string> = {};
    for (let pair = parameter.exec(rest); pair?.[1] !== undefined; pair = parameter.exec(rest)) {
      parameters[pair[1].toLowerCase()] = pair[2]?.replace(/\\(.)/g, '$1') ?? pair[3] ?? '';
      rest = rest.slice(pair[0].length);
    }
    challenges.push({ scheme: match[1].toLowerCase(), parameters });
  }
  return challenges;
}
