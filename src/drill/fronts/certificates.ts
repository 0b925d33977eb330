import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

/** A certificate with its key, both PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** An authority for one run; clients that trust `cert` trust what it signs. */
export interface Authority extends Certificate {
  /** A certificate for a server or a client. */
  issued(options?: IssueOptions): Certificate;
}

interface IssueOptions {
  /** From now until it ends, negative for an expired one. Default 30. */
  readonly days?: number;
  /** Host names that it is for, besides 127.0.0.1. Default: none. */
  readonly hosts?: readonly string[];
}

interface CertificateSubject {
  readonly name: string;
  readonly publicKey: KeyObject;
  readonly days: number;
  readonly extensions: readonly Buffer[];
}

const dayMs = 24 * 60 * 60 * 1000;
const oid = {
  commonName: '550403',
  ecdsaWithSha256: '2a8648ce3d040302',
  basicConstraints: '551d13',
  subjectAltName: '551d11',
} as const;

/** Makes an authority with a new key: no key has to be kept anywhere. */
export function createAuthority(): Authority {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const isAuthority = extension(oid.basicConstraints, sequence(der(0x01, Buffer.from([0xff]))));
  const own = { name: 'authority of a drill', publicKey, days: 30, extensions: [isAuthority] };
  return {
    cert: certificate(own, privateKey),
    key: pemOf(privateKey),
    issued: ({ days = 30, hosts = [] } = {}) => {
      const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const hostNames = hosts.map((host) => der(0x82, Buffer.from(host)));
      const names = sequence(der(0x87, Buffer.from([127, 0, 0, 1])), ...hostNames);
      const extensions = [extension(oid.subjectAltName, names)];
      const subject = { name: '127.0.0.1', publicKey: pair.publicKey, days, extensions };
      return { cert: certificate(subject, privateKey), key: pemOf(pair.privateKey) };
    },
  };
}

/** X.509 version 3 (RFC 5280 section 4.1), with as little in it as TLS needs. */
function certificate({ name, publicKey, days, extensions }: CertificateSubject, signer: KeyObject): string {
  const algorithm = sequence(objectId(oid.ecdsaWithSha256));
  const end = Date.now() + days * dayMs;
  const body = sequence(
    der(0xa0, integer(2)),
    integer(Math.floor(Math.random() * 2 ** 31)),
    algorithm,
    nameOf('authority of a drill'),
    sequence(time(Math.min(Date.now(), end) - dayMs), time(end)),
    nameOf(name),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...extensions)),
  );
  const signature = Buffer.concat([Buffer.from([0]), sign('sha256', body, signer)]);
  const text = sequence(body, algorithm, der(0x03, signature)).toString('base64');
  const lines = text.match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

function nameOf(commonName: string): Buffer {
  const value = sequence(objectId(oid.commonName), der(0x0c, Buffer.from(commonName)));
  return sequence(der(0x31, value));
}

function extension(id: string, value: Buffer): Buffer {
  return sequence(objectId(id), der(0x04, value));
}

function time(ms: number): Buffer {
  const text = new Date(ms).toISOString().replace(/[-:T]/g, '').slice(2, 14);
  return der(0x17, Buffer.from(`${text}Z`));
}

function integer(value: number): Buffer {
  const hex = value.toString(16);
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
  return der(0x02, (bytes[0] ?? 0) < 0x80 ? bytes : Buffer.concat([Buffer.from([0]), bytes]));
}

function objectId(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, 'hex'));
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts));
}

function der(tag: number, value: Buffer): Buffer {
  const { length } = value;
  return Buffer.concat([Buffer.from([tag, ...lengthOf(length)]), value]);
}

function pemOf(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** As short as it can be, which DER demands (X.690 section 10.1) and Go checks. */
function lengthOf(length: number): readonly number[] {
  if (length < 0x80) return [length];
  return length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
}
