/** A `WWW-Authenticate` challenge (RFC 9110 section 11.6.1): lower-case scheme and parameters. */
export interface Challenge {
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/** A longer line is no challenge: the longest scopes have some 2,000 characters. */
const longestLine = 8192;
/** Each expression is sticky and reads one token that the next cannot begin with: linear. */
const separators = /[\s,]*/y;
const blanks = /\s*/y;
const token = /[A-Za-z0-9!#$%&'*+.^_`|~-]+/y;
const equals = /=\s*/y;
const quoted = /"((?:[^"\\]|\\.)*)"/y;
const bare = /[^\s,"]+/y;
const token68 = /[A-Za-z0-9._~+/-]+=*(?=\s*(?:,|$))/y;

/** The challenges of one or several header lines, in order; what cannot be read ends its line. */
export function parseChallenges(lines: string | readonly string[] | undefined): readonly Challenge[] {
  if (lines === undefined) return [];
  return (typeof lines === 'string' ? [lines] : lines).flatMap(parseLine);
}

/** A challenge as a header value: every parameter quoted, as containers/image requires. */
export function challengeText(schemeName: string, parameters: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(parameters).map(([key, text]) => `${key}="${text.replace(/["\\]/g, '\\$&')}"`);
  return `${schemeName} ${pairs.join(',')}`;
}

/** By element: a word with a value belongs to the scheme before it, another is a scheme. */
function parseLine(line: string): Challenge[] {
  const challenges: { readonly scheme: string; readonly parameters: Record<string, string> }[] = [];
  if (line.length > longestLine) return challenges;
  const scan = scanner(line);
  for (;;) {
    scan(separators);
    const name = scan(token)?.[0].toLowerCase();
    if (name === undefined) return challenges;
    const isParted = scan(blanks)?.[0] !== '';
    if (scan(equals) !== null) {
      const value = parameterValue(scan);
      const challenge = challenges.at(-1);
      if (value === undefined || challenge === undefined) return challenges;
      challenge.parameters[name] = value;
    } else {
      challenges.push({ scheme: name, parameters: {} });
      if (isParted) scan(token68);
    }
  }
}

type Scan = (shape: RegExp) => RegExpExecArray | null;

/** Reads on with each match; what does not match moves nothing. */
function scanner(text: string): Scan {
  let at = 0;
  return (shape) => {
    shape.lastIndex = at;
    const match = shape.exec(text);
    if (match !== null) at = shape.lastIndex;
    return match;
  };
}

function parameterValue(scan: Scan): string | undefined {
  return scan(quoted)?.[1]?.replace(/\\(.)/g, '$1') ?? scan(bare)?.[0];
}
