import { NAMESPACE } from './helm.ts';
import { workloadOf } from './pods.ts';
import { failing, ofKind, type Policy, specOf } from './policy.ts';

/** Out goes nothing but what is named: no rule for any address, none for any port. */
export const nothingElseGoesOut: Policy = (manifests) =>
  ofKind(manifests, 'NetworkPolicy').flatMap((each) => {
    const { policyTypes, egress } = specOf(each, {
      policyTypes: [] as string[],
      egress: [] as { to?: { ipBlock?: { cidr: string; except?: string[] } }[]; ports?: unknown[] }[],
    });
    return [
      ...failing({ 'it shuts one way alone': policyTypes.join() === 'Ingress,Egress' }),
      ...egress.flatMap(({ to = [], ports = [] }) =>
        failing({ 'a rule for anywhere': to.length > 0, 'a rule for any port': ports.length > 0 }),
      ),
      ...egress
        .flatMap(({ to = [] }) => to.flatMap(({ ipBlock }) => ipBlock ?? []))
        .filter(
          ({ cidr, except = [] }) =>
            cidr === '0.0.0.0/0' &&
            !['10.0.0.0/8', '169.254.0.0/16'].every((range) => except.includes(range)),
        )
        .map(({ cidr }) => `${cidr} has the metadata address in it`),
    ];
  });

/** https://kubernetes.io/docs/concepts/services-networking/service/#application-protocol; Istio goes by the names, too. */
export const meshesKnow: Policy = (manifests) => {
  const { template } = workloadOf(manifests).spec;
  const service = ofKind(manifests, 'Service')[0];
  const { ports } = specOf(service, {
    ports: [] as { name: string; targetPort: string; appProtocol?: string }[],
  });
  const annotations: Record<string, string> = template.metadata.annotations ?? {};
  const isInjected = (names: Record<string, string>): boolean =>
    names['linkerd.io/inject'] === 'enabled' || names['sidecar.istio.io/inject'] === 'true';
  const native = ['sidecar.istio.io/nativeSidecar', 'config.beta.linkerd.io/proxy-enable-native-sidecar'];
  const address = `${service?.metadata.name}.${NAMESPACE}.svc.cluster.local`;
  return failing({
    'a port says nothing of its protocol': ports.every(
      ({ name, targetPort, appProtocol }) =>
        name === 'http' && targetPort === name && ['http', 'kubernetes.io/ws'].includes(appProtocol ?? ''),
    ),
    'a proxy ends before the server':
      native.some((name) => annotations[name] === 'true') ===
      isInjected({ ...template.metadata.labels, ...annotations }),
    'it says how to reach something else': ofKind(manifests, 'DestinationRule').every(
      (each) => specOf(each, { host: '' }).host === address,
    ),
    'somebody comes in without a certificate': ofKind(manifests, 'PeerAuthentication').every(
      (each) => specOf(each, { mtls: { mode: '' } }).mtls.mode === 'STRICT',
    ),
  });
};
