const label = /^[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?$/;
const address = /^\[[0-9A-Fa-f:.]+\]$/;
const longestHost = 255;

/**
 * What is wrong with the text as the host of a reference, in one clause; undefined for a good one.
 * A host is labels of letters, digits and hyphens joined by dots, or an IPv6 address in brackets,
 * with a port or without (distribution's reference grammar).
 */
export function hostFault(host: string): string | undefined {
  if (host.length > longestHost) return `its host name is longer than ${longestHost} characters`;
  const [name, port] = nameAndPort(host);
  if (port !== undefined && !isPort(port)) {
    return `what follows ${name === '' ? 'the colon' : `${name}:`} is not a port: a number from 1 to 65535`;
  }
  const isName = address.test(name) || name.split('.').every((part) => label.test(part));
  if (isName && URL.canParse(`https://${name}`)) return undefined;
  return `${JSON.stringify(name)} is not a host name`;
}

/** A colon inside the brackets of an IPv6 address parts nothing. */
function nameAndPort(host: string): readonly [name: string, port: string | undefined] {
  const colon = host.indexOf(':', host.startsWith('[') ? Math.max(0, host.indexOf(']')) : 0);
  return colon < 0 ? [host, undefined] : [host.slice(0, colon), host.slice(colon + 1)];
}

function isPort(text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535;
}
