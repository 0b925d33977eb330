import { KubeConfig } from '@kubernetes/client-node';

/** A login with a token at an API server, whose certificate is of the authority `cert`. */
export function kubeconfigOf(host: string, cert: string, token = 'a-token'): KubeConfig {
  const config = new KubeConfig();
  const caData = Buffer.from(cert).toString('base64');
  const cluster = { name: 'double', server: `https://${host}`, caData, skipTLSVerify: false };
  config.loadFromClusterAndUser(cluster, { name: 'us', token });
  return config;
}
