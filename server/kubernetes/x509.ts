/** Certificates of our own: an authority, and what it signs for a server. ECDSA on P-256, PEM. */
import 'reflect-metadata';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
  type Extension,
} from '@peculiar/x509';
import type { webcrypto } from 'node:crypto';
import { isIP } from 'node:net';

/** A certificate and its key, PEM. */
export interface KeyedCertificate {
  readonly certificate: string;
  readonly key: string;
}

/** From when until when a certificate can be used, in ms since the epoch. Certificates know whole seconds. */
export interface Validity {
  readonly fromMs: number;
  readonly untilMs: number;
}

const curve = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const signing = { name: 'ECDSA', hash: 'SHA-256' } as const;
const { subtle } = globalThis.crypto;

/** A new authority with a key of its own. `name` should be another one for each, so that two can be trusted at once. */
export async function makeAuthority(name: string, validity: Validity): Promise<KeyedCertificate> {
  const keys = await subtle.generateKey(curve, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [name] }],
    keys,
    ...dates(validity),
    signingAlgorithm: signing,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: pemOf(certificate), key: await keyPem(keys.privateKey) };
}

/** A server's certificate for these DNS names and addresses, signed by `authority`. */
export async function issueCertificate(
  authority: KeyedCertificate,
  names: readonly string[],
  validity: Validity,
): Promise<KeyedCertificate> {
  const keys = await subtle.generateKey(curve, true, ['sign', 'verify']);
  const issuer = new X509Certificate(authority.certificate);
  const alternatives = names.map((value) => ({ type: isIP(value) ? ('ip' as const) : ('dns' as const), value }));
  const extensions: Extension[] = [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
    new SubjectAlternativeNameExtension(alternatives),
    await AuthorityKeyIdentifierExtension.create(issuer),
    await SubjectKeyIdentifierExtension.create(keys.publicKey),
  ];
  const signingKey = await subtle.importKey('pkcs8', PemConverter.decodeFirst(authority.key), curve, false, ['sign']);
  const certificate = await X509CertificateGenerator.create({
    subject: [{ CN: ['navigator'] }],
    issuer: issuer.subject,
    publicKey: keys.publicKey,
    signingKey,
    signingAlgorithm: signing,
    extensions,
    ...dates(validity),
  });
  return { certificate: pemOf(certificate), key: await keyPem(keys.privateKey) };
}

function dates({ fromMs, untilMs }: Validity): { readonly notBefore: Date; readonly notAfter: Date } {
  return { notBefore: new Date(fromMs), notAfter: new Date(untilMs) };
}

function pemOf(certificate: X509Certificate): string {
  return `${certificate.toString('pem')}\n`;
}

async function keyPem(key: webcrypto.CryptoKey): Promise<string> {
  return `${PemConverter.encode(await subtle.exportKey('pkcs8', key), PemConverter.PrivateKeyTag)}\n`;
}
