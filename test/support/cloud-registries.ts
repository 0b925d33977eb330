import { type RegistryDouble, registryDouble } from './registry-double.ts';

/**
 * A registry of a cloud, with its exchange of tokens, and what its helpers say: those of docker and
 * those of the kubelet's.
 */
export interface CloudRegistry {
  readonly registry: RegistryDouble;
  /** What a helper of docker has, as its program writes it. */
  docker(): { readonly ServerURL: string; readonly Username: string; readonly Secret: string };
  /** What a provider of the kubelet's answers. */
  kubelet(): object;
  /** The login that counts from now on; the ones before are refused as that registry does it. */
  rotate(): void;
}

interface Test {
  teardown(done: () => unknown): void;
}

interface Cloud {
  readonly username: string;
  /** The user in a kubelet's answer. Default: the same. */
  readonly kubeletUser?: string;
  readonly cacheDuration: string;
  /** Lets that secret in, and no other. */
  readonly admit: (registry: RegistryDouble, secret: string, isRotated: boolean) => void;
}

/** Amazon's: `AWS` by Basic. An ended password is answered once with 403 before others are 401. */
export const ecr: Cloud = {
  username: 'AWS',
  cacheDuration: '6h0m0s',
  admit({ host, switches }, secret, isRotated) {
    const value = Buffer.from(`AWS:${secret}`).toString('base64');
    switches.challenges = () => ({
      lines: [`Basic realm="https://${host}/",service="ecr.amazonaws.com"`],
      takes: (authorization) => authorization === `Basic ${value}`,
    });
    if (isRotated) switches.status = { of: 'manifests', code: 403, error: 'DENIED', times: 1 };
  },
};

/** Google's: an access token by Basic at the token server. */
export const gar: Cloud = {
  username: '_dcgcr_2_1_5_token',
  cacheDuration: '30m',
  admit({ switches }, secret) {
    switches.requiresToken = { user: gar.username, password: secret, expiresIn: 300 };
  },
};

const zeros = '00000000-0000-0000-0000-000000000000';

/** Azure's: a refresh token by POST at the token server, or by Basic with a GUID of zeros. */
export const acr: Cloud = {
  username: '<token>',
  kubeletUser: zeros,
  cacheDuration: '10m',
  admit({ switches }, secret) {
    switches.requiresToken = { user: zeros, password: secret, identityToken: secret, isOauth: true };
  },
};

/** Starts a registry of that cloud with one image, `team/app:v1`. */
export async function cloudRegistry(t: Test, cloud: Cloud): Promise<CloudRegistry> {
  const registry = await registryDouble();
  t.teardown(() => registry.close());
  registry.addImage('team/app', 'v1');
  let number = 1;
  const secret = (): string => `short-lived-secret-${number}`;
  cloud.admit(registry, secret(), false);
  return {
    registry,
    docker: () => ({ ServerURL: registry.host, Username: cloud.username, Secret: secret() }),
    kubelet: () => ({
      apiVersion: 'credentialprovider.kubelet.k8s.io/v1',
      kind: 'CredentialProviderResponse',
      cacheKeyType: 'Registry',
      cacheDuration: cloud.cacheDuration,
      auth: { [registry.host]: { username: cloud.kubeletUser ?? cloud.username, password: secret() } },
    }),
    rotate() {
      number += 1;
      registry.revokeTokens();
      cloud.admit(registry, secret(), true);
    },
  };
}
